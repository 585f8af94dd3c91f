// The official TypeScript clients, v1 (@modelcontextprotocol/sdk) and v2 (@modelcontextprotocol/client): connect, log in
// by themselves, list tools, call them. One JSON document in (argv[2]), one out.
//   in:  { url, sdk: "v1"|"v2", era: "handshake"|"stateless", calls: [[tool, arguments], …], store?: FILE }
//   out: { protocol, tools: [name, …], results: [text, …], logins }
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import { randomUUID } from 'node:crypto';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';

const job = JSON.parse(process.argv[2]);
const require = createRequire(pathToFileURL(`${process.env.GATEKIT_PEERS_DIR}/package.json`));
const load = (name) => import(pathToFileURL(require.resolve(name)));
const run = promisify(execFile);

async function sdk() {
  if (job.sdk === 'v2') {
    const all = await import(pathToFileURL(`${process.env.GATEKIT_PEERS_DIR}/node_modules/@modelcontextprotocol/client/dist/index.mjs`));
    return { Client: all.Client, Transport: all.StreamableHTTPClientTransport, Unauthorized: all.UnauthorizedError };
  }
  const [{ Client }, { StreamableHTTPClientTransport }, { UnauthorizedError }] = await Promise.all([
    load('@modelcontextprotocol/sdk/client/index.js'),
    load('@modelcontextprotocol/sdk/client/streamableHttp.js'),
    load('@modelcontextprotocol/sdk/client/auth.js'),
  ]);
  return { Client, Transport: StreamableHTTPClientTransport, Unauthorized: UnauthorizedError };
}

class Memory {
  // What an application keeps for the SDK; the "browser" is the hook.
  logins = 0;
  redirectUrl = 'http://127.0.0.1:33419/callback';
  clientMetadata = {
    client_name: `journey ts ${job.sdk}`,
    redirect_uris: [this.redirectUrl],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
  };
  constructor() {
    if (job.store && fs.existsSync(job.store)) Object.assign(this, JSON.parse(fs.readFileSync(job.store, 'utf8')));
  }
  keep(what) {
    Object.assign(this, what);
    if (job.store) fs.writeFileSync(job.store, JSON.stringify({ client: this.client, kept: this.kept }), { mode: 0o600 });
  }
  state() { return (this.sentState = randomUUID()); }
  clientInformation() { return this.client; }
  saveClientInformation(client) { this.keep({ client }); }
  tokens() { return this.kept; }
  saveTokens(tokens) { this.keep({ kept: tokens }); }
  saveCodeVerifier(verifier) { this.verifier = verifier; }
  codeVerifier() { return this.verifier; }
  discoveryState() { return this.discovered; }
  saveDiscoveryState(state) { this.discovered = state; }
  async redirectToAuthorization(url) {
    this.logins += 1;
    const { stdout } = await run(process.env.GATEKIT_PYTHON, [process.env.GATEKIT_HOOK, String(url)]);
    this.callback = new URL(stdout.trim());
    if (this.callback.searchParams.get('state') !== this.sentState) throw new Error('the state came back changed');
    if (!this.callback.searchParams.has('code')) throw new Error(`refused: ${this.callback.search}`);
  }
}

const { Client, Transport, Unauthorized } = await sdk();
const memory = new Memory();
const options = job.sdk === 'v2' && job.era === 'stateless' ? { versionNegotiation: { mode: { pin: '2026-07-28' } } } : {};
const connect = async () => {
  const client = new Client({ name: `journey-ts-${job.sdk}`, version: '1' }, { capabilities: {}, ...options });
  const transport = new Transport(new URL(job.url), { authProvider: memory });
  try {
    await client.connect(transport);
    return client;
  } catch (error) {
    if (!(error instanceof Unauthorized) || memory.logins > 1) throw error;
    const back = memory.callback.searchParams;
    await transport.finishAuth(job.sdk === 'v2' ? back : back.get('code'));
    return connect();
  }
};
const client = await connect();
const tools = (await client.listTools()).tools.map((tool) => tool.name);
const results = [];
for (const [name, args] of job.calls) {
  const result = await client.callTool({ name, arguments: args });
  results.push(result.content.map((part) => part.text ?? part.type).join(' '));
}
const protocol = client.getNegotiatedProtocolVersion?.() ?? client.transport?.protocolVersion;
await client.close();
console.log(JSON.stringify({ protocol, tools, results, logins: memory.logins }));
process.exit(0);
