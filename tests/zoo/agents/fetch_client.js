// Send the mix with Node's fetch, eight at a time; print what came back, as JSON.
'use strict';
const [base, count] = process.argv.slice(2);
const mix = [['GET', 'ok'], ['HEAD', 'ok'], ['POST', 'ok'], ['GET', 'missing'], ['GET', 'none']];
const counted = {};

async function work(worker) {
  for (let at = worker; at < Number(count); at += 8) {
    const [method, last] = mix[at % mix.length];
    const response = await fetch(`${base}/${last}`, { method, body: method === 'POST' ? 'a=b' : undefined });
    await response.arrayBuffer();
    const key = `${method} ${last} ${response.status}`;
    counted[key] = (counted[key] || 0) + 1;
  }
}

Promise.all([...Array(8).keys()].map(work)).then(() => console.log(JSON.stringify(counted)));
