// Ask for each address on standard input with http.get or fetch; print address and status, or 0.
'use strict';
const http = require('http');
const limit = 3000;

function plainly(address) {
  return new Promise((resolve, reject) => {
    const request = http.get(address, { agent: false, timeout: limit }, (response) => {
      response.resume();
      response.on('end', () => (response.complete ? resolve(response.statusCode) : reject()));
      response.on('error', reject).on('aborted', reject);
    });
    request.on('upgrade', (response, socket) => { socket.destroy(); resolve(response.statusCode); });
    request.on('error', reject).on('timeout', () => request.destroy(new Error('timeout')));
  });
}

async function fetched(address) {
  const response = await fetch(address, { redirect: 'manual', signal: AbortSignal.timeout(limit) });
  await response.arrayBuffer();
  return response.status;
}

const ask = process.argv[2] === 'fetch' ? fetched : plainly;
const addresses = require('fs').readFileSync(0, 'utf8').split('\n').filter(Boolean);

async function some() {
  while (addresses.length) {
    const address = addresses.pop();
    const status = await ask(address).catch(() => 0);
    console.log(address, status);
  }
}
process.on('uncaughtException', () => {});
Promise.all(Array.from({ length: 16 }, some));
