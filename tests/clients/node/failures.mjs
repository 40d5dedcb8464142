// What goes wrong, from Node: what an error says, what is asked again, how long to wait, deadlines, and a stream that is left early.
//
//   npm install                          in this folder
//   node failures.mjs localhost:50051 router-mf-0.5 "Why is the sky blue?"
import { resolve } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";
import protobuf from "protobufjs";

const protos = fileURLToPath(new URL("../../../protos", import.meta.url)); // of a checkout
const definition = loader.loadSync("pointsman/v1/route_service.proto", { includeDirs: [protos], keepCase: true, enums: String, defaults: true });
const { RouteService } = grpc.loadPackageDefinition(definition).pointsman.v1;

// Asked again by the channel, within the call's deadline: only what costs nothing twice. A chat isn't; the service retries backends itself.
const retried = ["Route", "RouteBatch", "CompareStrategies", "ListStrategies"];
const serviceConfig = {
  loadBalancingConfig: [{ round_robin: {} }],
  methodConfig: [
    {
      name: retried.map((method) => ({ service: "pointsman.v1.RouteService", method })),
      retryPolicy: { maxAttempts: 3, initialBackoff: "0.1s", maxBackoff: "1s", backoffMultiplier: 2, retryableStatusCodes: ["UNAVAILABLE"] },
    },
  ],
};
const [address, model, prompt] = process.argv.slice(2);
const client = new RouteService(address, grpc.credentials.createInsecure(), { "grpc.service_config": JSON.stringify(serviceConfig) });
const route = promisify(client.Route.bind(client));
const nothing = new grpc.Metadata();
const within = (ms) => ({ deadline: Date.now() + ms });

// An error's facts: its reason for programs, and metadata to act on (param, retry_after_s, backend, request_id).
const root = new protobuf.Root();
root.resolvePath = (_, file) => resolve(protos, file);
const types = root.loadSync("pointsman/v1/error.proto", { keepCase: true });
const [Status, ErrorInfo] = ["Error", "ErrorInfo"].map((name) => types.lookupType(`pointsman.v1.${name}`));
function factsOf(error) {
  const [details] = error.metadata?.get("grpc-status-details-bin") ?? [];
  if (!details) return {}; // said by gRPC itself: a deadline, nobody there
  const info = Status.decode(details).details.find((each) => each.type_url.endsWith("/google.rpc.ErrorInfo"));
  const { reason, metadata } = ErrorInfo.decode(info.value);
  return { reason, ...metadata };
}

// Over a limit: the error says how long to wait, and whoever comes back sooner adds to it.
async function patiently(ask, tries = 5) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await ask();
    } catch (error) {
      const seconds = factsOf(error).retry_after_s;
      if (error.code !== grpc.status.RESOURCE_EXHAUSTED || !seconds || attempt === tries) throw error;
      await pause(1000 * seconds);
    }
  }
}

const refused = await route({ routing: { model: "router-mf" }, prompt }, nothing, within(10_000)).catch((error) => error);
console.log(grpc.status[refused.code], factsOf(refused).reason, factsOf(refused).param);

const { decision } = await patiently(() => route({ routing: { model }, prompt }, nothing, within(10_000)));
console.log(decision.tier, decision.model);

// A deadline is one for everything: scoring, backend, retries. The service hears of it and stops its backend.
const chat = { messages: [{ role: "user", content: prompt }] };
const ask = promisify(client.ChatCompletion.bind(client));
const late = await ask({ routing: { model }, chat }, nothing, within(100)).catch((error) => error);
console.log(grpc.status[late.code], factsOf(late).reason ?? "by gRPC itself");

// Whoever has read enough cancels, and the backend stops too.
const stream = client.StreamChatCompletion({ routing: { model }, chat }, nothing, within(30_000));
const ended = new Promise((done) => stream.on("error", (error) => done(grpc.status[error.code])).on("end", () => done("OK")));
stream.once("data", () => stream.cancel());
console.log(await ended);
client.close();
