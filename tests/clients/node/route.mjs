// RouteService from Node, by the published .proto files and no generated code:
//
//   npm ci --ignore-scripts              in this folder
//   node route.mjs localhost:50051 router-mf-0.5 "Why is the sky blue?"
import { fileURLToPath } from "node:url";
import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";

const protos = fileURLToPath(new URL("../../../protos", import.meta.url)); // of a checkout; of a copy elsewhere, where protos/ is
const definition = loader.loadSync("pointsman/v1/route_service.proto", {
  includeDirs: [protos],
  keepCase: true,
  enums: String,
  longs: Number,
  oneofs: true,
  defaults: true, // empty lists and zeros are there, as in every other language
});
const { RouteService } = grpc.loadPackageDefinition(definition).pointsman.v1;

const [address, model, prompt] = process.argv.slice(2);
// One client for the whole process; where the gateway has a keys file: metadata.set("authorization", "Bearer …") and TLS.
const client = new RouteService(address, grpc.credentials.createInsecure());
const metadata = new grpc.Metadata();
const deadline = () => ({ deadline: Date.now() + 30_000 });

// Decided on, and not called.
const { decision } = await new Promise((resolve, reject) =>
  client.Route({ routing: { model }, prompt }, metadata, deadline(), (error, answer) => (error ? reject(error) : resolve(answer))),
);
console.log(decision.tier, decision.model, decision.strong_win_rate.toFixed(2));

// Decided on, and answered as a stream: chunks, an error where it was cut, and the receipt last.
const chat = { messages: [{ role: "user", content: prompt }] };
const stream = client.StreamChatCompletion({ routing: { model }, chat }, metadata, deadline());
let text = "";
for await (const event of stream) {
  if (event.event === "chunk") text += event.chunk.deltas.map((delta) => delta.content).join("");
  if (event.event === "error") throw new Error(event.error.message);
  if (event.event === "receipt") console.log(text, event.receipt.decision.tier, event.receipt.usage.completion_tokens);
}

// What can't be done says why: gRPC's code, a sentence, and details in the trailing metadata.
await new Promise((resolve) =>
  client.Route({ routing: { model: "router-mf" }, prompt }, metadata, deadline(), (error) => {
    console.log(grpc.status[error.code], error.details);
    resolve();
  }),
);
client.close();
