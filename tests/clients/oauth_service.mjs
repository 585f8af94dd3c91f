// A certified OAuth client library as a program that acts for itself: client credentials, with a secret or with a key.
//   argv: URL oauth4webapi|openid-client CLIENT_ID basic|key      env: GATEKIT_CLIENT_SECRET, GATEKIT_CLIENT_KEY (JWK)
//   out: { works, refresh, scope, revoked }
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const [, , url, library, client_id, way] = process.argv;
const require = createRequire(pathToFileURL(`${process.env.GATEKIT_PEERS_DIR}/package.json`));
const lib = await import(pathToFileURL(require.resolve(library)));

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

async function authentication() {
  if (way === 'basic') return lib.ClientSecretBasic(process.env.GATEKIT_CLIENT_SECRET);
  const jwk = JSON.parse(process.env.GATEKIT_CLIENT_KEY);
  const key = await crypto.subtle.importKey('jwk', jwk, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign']);
  return lib.PrivateKeyJwt({ key, kid: jwk.kid });
}

const prm = await (await fetch(url.replace('/s/', '/.well-known/oauth-protected-resource/s/'))).json();
const issuer = new URL(prm.authorization_servers[0]);
const wanted = { resource: prm.resource, scope: 'mcp:read' };
let tokens, again;
if (library === 'oauth4webapi') {
  const plain = { [lib.allowInsecureRequests]: true };
  const as = await lib.processDiscoveryResponse(issuer, await lib.discoveryRequest(issuer, { ...plain, algorithm: 'oauth2' }));
  const client = { client_id };
  const proof = await authentication();
  tokens = await lib.processClientCredentialsResponse(
    as, client, await lib.clientCredentialsGrantRequest(as, client, proof, wanted, plain));
  await lib.processRevocationResponse(await lib.revocationRequest(as, client, proof, tokens.access_token, plain));
  again = await lib.processClientCredentialsResponse(
    as, client, await lib.clientCredentialsGrantRequest(as, client, proof, wanted, plain));
} else {
  const plain = { execute: [lib.allowInsecureRequests], algorithm: 'oauth2' };
  const config = await lib.discovery(issuer, client_id, undefined, await authentication(), plain);
  tokens = await lib.clientCredentialsGrant(config, wanted);
  await lib.tokenRevocation(config, tokens.access_token);
  again = await lib.clientCredentialsGrant(config, wanted);
}
console.log(JSON.stringify({
  works: await initialize(again.access_token),
  refresh: 'refresh_token' in again,
  scope: again.scope,
  revoked: await initialize(tokens.access_token),
}));
