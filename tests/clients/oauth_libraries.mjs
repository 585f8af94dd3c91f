// Two certified OAuth client libraries, strict about every response: discovery, registration, code, refresh, revocation.
//   argv: URL oauth4webapi|openid-client      out: { initialize, refreshed, rotated, revoked }
import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';

const [, , url, library] = process.argv;
const require = createRequire(pathToFileURL(`${process.env.GATEKIT_PEERS_DIR}/package.json`));
const lib = await import(pathToFileURL(require.resolve(library)));
const redirect_uri = 'http://127.0.0.1:33420/callback';
const metadata = {
  client_name: library,
  redirect_uris: [redirect_uri],
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'],
  token_endpoint_auth_method: 'none',
};

async function browse(authorizeUrl) {
  const { stdout } = await promisify(execFile)(process.env.GATEKIT_PYTHON, [process.env.GATEKIT_HOOK, String(authorizeUrl)]);
  return new URL(stdout.trim());
}

async function initialize(token) {
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: library, version: '1' } };
  const answer = await fetch(url, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params }),
  });
  await answer.text();
  return answer.status;
}

async function withOauth4webapi() {
  const plain = { [lib.allowInsecureRequests]: true };
  const prm = await lib.processResourceDiscoveryResponse(new URL(url), await lib.resourceDiscoveryRequest(new URL(url), plain));
  const issuer = new URL(prm.authorization_servers[0]);
  const as = await lib.processDiscoveryResponse(issuer, await lib.discoveryRequest(issuer, { ...plain, algorithm: 'oauth2' }));
  const client = await lib.processDynamicClientRegistrationResponse(await lib.dynamicClientRegistrationRequest(as, metadata, plain));
  const verifier = lib.generateRandomCodeVerifier();
  const state = lib.generateRandomState();
  const to = new URL(as.authorization_endpoint);
  to.search = new URLSearchParams({
    client_id: client.client_id,
    redirect_uri,
    response_type: 'code',
    code_challenge: await lib.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
    resource: prm.resource,
    scope: (prm.scopes_supported ?? []).join(' '),
  });
  const back = lib.validateAuthResponse(as, client, await browse(to), state);
  const asked = { ...plain, additionalParameters: { resource: prm.resource } };
  const none = lib.None();
  const first = await lib.processAuthorizationCodeResponse(
    as, client, await lib.authorizationCodeGrantRequest(as, client, none, back, redirect_uri, verifier, asked));
  const second = await lib.processRefreshTokenResponse(
    as, client, await lib.refreshTokenGrantRequest(as, client, none, first.refresh_token, asked));
  const out = {
    initialize: await initialize(first.access_token),
    refreshed: await initialize(second.access_token),
    rotated: second.refresh_token !== first.refresh_token,
  };
  await lib.processRevocationResponse(await lib.revocationRequest(as, client, none, second.access_token, plain));
  return { ...out, revoked: await initialize(second.access_token) };
}

async function withOpenidClient() {
  const challenge = (await fetch(url, { method: 'POST' })).headers.get('www-authenticate');
  const prm = await (await fetch(challenge.match(/resource_metadata="([^"]+)"/)[1])).json();
  const plain = { execute: [lib.allowInsecureRequests], algorithm: 'oauth2' };
  const config = await lib.dynamicClientRegistration(new URL(prm.authorization_servers[0]), metadata, lib.None(), plain);
  const verifier = lib.randomPKCECodeVerifier();
  const state = lib.randomState();
  const to = lib.buildAuthorizationUrl(config, {
    redirect_uri,
    state,
    code_challenge: await lib.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    resource: prm.resource,
    scope: (prm.scopes_supported ?? []).join(' '),
  });
  const checks = { pkceCodeVerifier: verifier, expectedState: state };
  const first = await lib.authorizationCodeGrant(config, await browse(to), checks, { resource: prm.resource });
  const second = await lib.refreshTokenGrant(config, first.refresh_token, { resource: prm.resource });
  const out = {
    initialize: await initialize(first.access_token),
    refreshed: await initialize(second.access_token),
    rotated: second.refresh_token !== first.refresh_token,
  };
  await lib.tokenRevocation(config, second.access_token);
  return { ...out, revoked: await initialize(second.access_token) };
}

console.log(JSON.stringify(await (library === 'oauth4webapi' ? withOauth4webapi() : withOpenidClient())));
