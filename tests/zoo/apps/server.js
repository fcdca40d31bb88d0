// Node's http, or fastify on top of it, with a log line for each response that was sent.
'use strict';
const size = 5000011;
const file = Buffer.alloc(size, 'GET / HTTP/1.1\r\n');

function response(request, response) {
  const path = request.url;
  response.on('close', () => console.log(`${request.method} ${path} ${response.statusCode}`));
  request.resume();
  request.on('end', () => {
    if (path.endsWith('/moved')) response.writeHead(301, { Location: '/' }).end();
    else if (path.endsWith('/none')) response.writeHead(204).end();
    else if (path.endsWith('/file.bin')) response.writeHead(200, { 'Content-Length': size }).end(file);
    else if (path.endsWith('/ok') && request.headers['if-none-match']) response.writeHead(304).end();
    else if (path.endsWith('/ok') || path.endsWith('/upload')) response.writeHead(200).end('ok\n');
    else response.writeHead(404).end('no such thing\n');
  });
}

const [port, fastify] = process.argv.slice(2);
if (fastify) {
  const app = require(fastify)({ forceCloseConnections: true });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));
  app.all('/*', (request, reply) => { reply.hijack(); response(request.raw, reply.raw); });
  app.listen({ host: '127.0.0.1', port: Number(port) });
} else {
  require('http').createServer(response).listen(Number(port), '127.0.0.1', 511);
}
