// The official TypeScript SDK over HTTP+SSE, as an application from before 2025-03-26 uses it.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [url, token] = process.argv.slice(2);
const require = createRequire(pathToFileURL(process.env.GATEKIT_PEERS_DIR + "/").href);
const { Client } = require("@modelcontextprotocol/sdk/client/index.js");
const { SSEClientTransport } = require("@modelcontextprotocol/sdk/client/sse.js");

const headers = { Authorization: `Bearer ${token}` };
const transport = new SSEClientTransport(new URL(url), {
  requestInit: { headers },
  eventSourceInit: { fetch: (input, init) => fetch(input, { ...init, headers: { ...init.headers, ...headers } }) },
});
const client = new Client({ name: "old application", version: "1" });
await client.connect(transport);
const { tools } = await client.listTools();
const result = await client.callTool({ name: "progress" });
await client.close();
console.log(JSON.stringify({ tools: tools.map((tool) => tool.name), text: result.content[0].text }));
