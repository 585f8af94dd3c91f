// Two certified OAuth client libraries with a key of their own: pushed request, proof at /token, proof with each MCP call.
//   argv: URL oauth4webapi|openid-client ALGORITHM      out: { types, answer, refreshed, replayed, bearer, keyless }
import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';

const [, , url, library, algorithm] = process.argv;
const require = createRequire(pathToFileURL(`${process.env.GATEKIT_PEERS_DIR}/package.json`));
const lib = await import(pathToFileURL(require.resolve(library)));
const redirect_uri = 'http://127.0.0.1:33421/callback';
const metadata = {
  client_name: `${library} with a key`,
  redirect_uris: [redirect_uri],
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'],
  token_endpoint_auth_method: 'none',
  dpop_bound_access_tokens: true,
  require_pushed_authorization_requests: true,
};
const here = new URL(url);
const resource = url;
let sent;  // the last proof, as it went over the wire
const watching = async (address, options) => {
  sent = new Headers(options.headers).get('dpop') ?? sent;
  return fetch(address, options);
};

async function browse(authorizeUrl) {
  const env = { ...process.env, GATEKIT_REDIRECT_URI: redirect_uri };
  const { stdout } = await promisify(execFile)(process.env.GATEKIT_PYTHON, [process.env.GATEKIT_HOOK, String(authorizeUrl)], { env });
  return new URL(stdout.trim());
}

// A whole MCP conversation, each message with a proof of its own; `ask` adds the token and the proof.
async function converse(ask) {
  const post = async (message, session) => {
    const headers = new Headers({ 'content-type': 'application/json', accept: 'application/json, text/event-stream' });
    if (session) headers.set('mcp-session-id', session);
    return ask(headers, JSON.stringify({ jsonrpc: '2.0', ...message }));
  };
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: library, version: '1' } };
  const opened = await post({ id: 1, method: 'initialize', params });
  const session = opened.headers.get('mcp-session-id');
  await opened.text();
  await (await post({ method: 'notifications/initialized' }, session)).text();
  const called = await post({ id: 2, method: 'tools/call', params: { name: 'echo', arguments: { message: 'with a key' } } }, session);
  return (await called.text()).includes('with a key');
}

const raw = async (scheme, token, proof) =>
  (await fetch(url, { method: 'POST', headers: { authorization: `${scheme} ${token}`, ...(proof ? { dpop: proof } : {}) } })).status;

async function afterwards(token) {
  return { replayed: await raw('DPoP', token, sent), bearer: await raw('Bearer', token), keyless: await raw('DPoP', token) };
}

async function withOauth4webapi() {
  const plain = { [lib.allowInsecureRequests]: true, [lib.customFetch]: watching };
  const prm = await lib.processResourceDiscoveryResponse(here, await lib.resourceDiscoveryRequest(here, plain));
  const issuer = new URL(prm.authorization_servers[0]);
  const as = await lib.processDiscoveryResponse(issuer, await lib.discoveryRequest(issuer, { ...plain, algorithm: 'oauth2' }));
  const client = await lib.processDynamicClientRegistrationResponse(await lib.dynamicClientRegistrationRequest(as, metadata, plain));
  const DPoP = lib.DPoP(client, await lib.generateKeyPair(algorithm));
  const again = async (attempt) => {
    try {
      return await attempt();
    } catch (error) {
      if (!lib.isDPoPNonceError(error)) throw error;
      return attempt();
    }
  };
  const none = lib.None();
  const verifier = lib.generateRandomCodeVerifier();
  const state = lib.generateRandomState();
  const request = {
    redirect_uri, response_type: 'code', state, resource, code_challenge_method: 'S256',
    code_challenge: await lib.calculatePKCECodeChallenge(verifier),
  };
  const pushed = await again(async () =>
    lib.processPushedAuthorizationResponse(as, client, await lib.pushedAuthorizationRequest(as, client, none, request, { ...plain, DPoP })));
  const to = new URL(as.authorization_endpoint);
  to.search = new URLSearchParams({ client_id: client.client_id, request_uri: pushed.request_uri });
  const back = lib.validateAuthResponse(as, client, await browse(to), state);
  const asked = { ...plain, DPoP };
  const first = await again(async () => lib.processAuthorizationCodeResponse(
    as, client, await lib.authorizationCodeGrantRequest(as, client, none, back, redirect_uri, verifier, asked)));
  const second = await again(async () => lib.processRefreshTokenResponse(
    as, client, await lib.refreshTokenGrantRequest(as, client, none, first.refresh_token, asked)));
  const ask = (token) => (headers, body) =>
    again(() => lib.protectedResourceRequest(token, 'POST', here, headers, body, asked));
  const answer = await converse(ask(first.access_token));
  const refreshed = await converse(ask(second.access_token));
  return { types: [first.token_type, second.token_type], answer, refreshed, ...(await afterwards(second.access_token)) };
}

async function withOpenidClient() {
  const document = await (await fetch(new URL('/.well-known/oauth-protected-resource' + here.pathname, here))).json();
  const plain = { execute: [lib.allowInsecureRequests], algorithm: 'oauth2' };
  const config = await lib.dynamicClientRegistration(new URL(document.authorization_servers[0]), metadata, lib.None(), plain);
  config[lib.customFetch] = watching;
  const DPoP = lib.getDPoPHandle(config, await lib.randomDPoPKeyPair(algorithm));
  const verifier = lib.randomPKCECodeVerifier();
  const state = lib.randomState();
  const to = await lib.buildAuthorizationUrlWithPAR(config, {
    redirect_uri, state, resource, code_challenge_method: 'S256', code_challenge: await lib.calculatePKCECodeChallenge(verifier),
  }, { DPoP });
  const checks = { pkceCodeVerifier: verifier, expectedState: state };
  const first = await lib.authorizationCodeGrant(config, await browse(to), checks, { resource }, { DPoP });
  const second = await lib.refreshTokenGrant(config, first.refresh_token, { resource }, { DPoP });
  const ask = (token) => (headers, body) => lib.fetchProtectedResource(config, token, here, 'POST', body, headers, { DPoP });
  const answer = await converse(ask(first.access_token));
  const refreshed = await converse(ask(second.access_token));
  return { types: [first.token_type, second.token_type], answer, refreshed, ...(await afterwards(second.access_token)) };
}

console.log(JSON.stringify(await (library === 'oauth4webapi' ? withOauth4webapi() : withOpenidClient())));
