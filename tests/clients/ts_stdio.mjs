// The official TypeScript clients over stdio, v1 (@modelcontextprotocol/sdk) and v2 (@modelcontextprotocol/client): start a
// command, list tools, call them, answer questions. One JSON document in (argv[2]), one out.
//   in:  { command, args, env, sdk: "v1"|"v2", era: "handshake"|"stateless", calls: [[tool, arguments], …] }
//   out: { protocol, tools: [name, …], results: [text, …], asked: [message, …] }
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const job = JSON.parse(process.argv[2]);
const peers = process.env.GATEKIT_PEERS_DIR;
const require = createRequire(pathToFileURL(`${peers}/package.json`));
const load = (name) => import(pathToFileURL(require.resolve(name)));
const file = (path) => import(pathToFileURL(`${peers}/node_modules/@modelcontextprotocol/client/dist/${path}`));

const asked = [];
const elicit = async (request) => {
  asked.push(request.params.message);
  return { action: 'accept', content: { name: 'Ada' } };
};
const capabilities = { elicitation: {} };
const info = { name: `stdio-ts-${job.sdk}`, version: '1' };
let client, transport;
if (job.sdk === 'v2') {
  const [{ Client }, { StdioClientTransport }] = await Promise.all([file('index.mjs'), file('stdio.mjs')]);
  const pinned = job.era === 'stateless' ? { versionNegotiation: { mode: { pin: '2026-07-28' } } } : {};
  client = new Client(info, { capabilities, ...pinned });
  client.setRequestHandler('elicitation/create', elicit);
  transport = new StdioClientTransport({ command: job.command, args: job.args, env: job.env });
} else {
  const [{ Client }, { StdioClientTransport }, { ElicitRequestSchema }] = await Promise.all([
    load('@modelcontextprotocol/sdk/client/index.js'),
    load('@modelcontextprotocol/sdk/client/stdio.js'),
    load('@modelcontextprotocol/sdk/types.js'),
  ]);
  client = new Client(info, { capabilities });
  client.setRequestHandler(ElicitRequestSchema, elicit);
  transport = new StdioClientTransport({ command: job.command, args: job.args, env: job.env });
}
await client.connect(transport);
const tools = (await client.listTools()).tools.map((tool) => tool.name);
const results = [];
for (const [name, args] of job.calls) {
  const result = await client.callTool({ name, arguments: args });
  results.push(result.content.map((part) => part.text ?? part.type).join(' '));
}
const protocol = client.getNegotiatedProtocolVersion?.() ?? client.transport?.protocolVersion ?? 'unknown';
await client.close();
console.log(JSON.stringify({ protocol, tools, results, asked }));
process.exit(0);
