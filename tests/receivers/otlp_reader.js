// A receiver made of OpenTelemetry's own JavaScript: it reads what httptop pushes, with other code than
// httptop's tests do, and of other definitions' making. Prints its port, and at the end of standard
// input all that it has read, as one line of JSON.
"use strict";
const http = require("http");
const zlib = require("zlib");
const root = require("@opentelemetry/otlp-transformer/build/src/generated/root.js");
const { metrics, trace } = root.opentelemetry.proto.collector;
const kinds = {
  "/v1/metrics": [metrics.v1.ExportMetricsServiceRequest, metrics.v1.ExportMetricsServiceResponse],
  "/v1/traces": [trace.v1.ExportTraceServiceRequest, trace.v1.ExportTraceServiceResponse],
};
const read = { "/v1/metrics": [], "/v1/traces": [] };

const server = http.createServer((request, response) => {
  const pieces = [];
  request.on("data", (piece) => pieces.push(piece));
  request.on("end", () => {
    const body = Buffer.concat(pieces);
    const plain = request.headers["content-encoding"] === "gzip" ? zlib.gunzipSync(body) : body;
    const [Request, Response] = kinds[request.url];
    const message = Request.decode(plain);
    const problem = Request.verify(message);
    if (problem) throw new Error(problem);
    read[request.url].push(Request.toObject(message, { longs: Number, enums: String, bytes: String }));
    response.setHeader("content-type", "application/x-protobuf");
    response.end(Buffer.from(Response.encode({}).finish()));
  });
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
process.stdin.resume();
process.stdin.on("end", () => {
  process.stdout.write(JSON.stringify(read) + "\n", () => process.exit(0));
});
