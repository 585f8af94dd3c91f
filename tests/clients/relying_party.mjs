// A relying party made of a certified library: discovery, sign-in, userinfo, logout, and the back channel.
//   argv: ISSUER CLIENT_ID SECRET REDIRECT_URI BYE_URI PORT ALGORITHM      PORT: of the listener for logout tokens
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';

const [, , issuer, clientId, secret, redirect_uri, bye, port, algorithm] = process.argv;
const require = createRequire(pathToFileURL(`${process.env.GATEKIT_PEERS_DIR}/package.json`));
const lib = await import(pathToFileURL(require.resolve('openid-client')));
const jose = await import(pathToFileURL(createRequire(require.resolve('openid-client')).resolve('jose')));

async function browse(url) {
  const { stdout } = await promisify(execFile)(process.env.GATEKIT_PYTHON, [process.env.GATEKIT_HOOK, String(url)]);
  return new URL(stdout.trim());
}

const config = await lib.discovery(new URL(issuer), clientId, { client_secret: secret, id_token_signed_response_alg: algorithm }, lib.ClientSecretBasic(secret), {
  execute: [lib.allowInsecureRequests],
});
const verifier = lib.randomPKCECodeVerifier();
const nonce = lib.randomNonce();
const state = lib.randomState();
const to = lib.buildAuthorizationUrl(config, {
  redirect_uri,
  scope: 'openid profile groups',
  state,
  nonce,
  max_age: '3600',
  code_challenge: await lib.calculatePKCECodeChallenge(verifier),
  code_challenge_method: 'S256',
});
const tokens = await lib.authorizationCodeGrant(config, await browse(to), {
  pkceCodeVerifier: verifier,
  expectedNonce: nonce,
  expectedState: state,
  maxAge: 3600,
  idTokenExpected: true,
});
const claims = tokens.claims();
const person = await lib.fetchUserInfo(config, tokens.access_token, claims.sub);

const heard = createServer();
heard.listen(Number(port), '127.0.0.1');
await once(heard, 'listening');
const told = once(heard, 'request').then(async ([request, response]) => {
  let body = '';
  for await (const part of request) body += part;
  response.writeHead(200).end();
  const keys = jose.createRemoteJWKSet(new URL(config.serverMetadata().jwks_uri));
  const token = new URLSearchParams(body).get('logout_token');
  const { payload } = await jose.jwtVerify(token, keys, { issuer, audience: clientId, typ: 'logout+jwt', algorithms: [algorithm] });
  return payload;
});

const out = lib.buildEndSessionUrl(config, {
  id_token_hint: tokens.id_token,
  post_logout_redirect_uri: bye,
  state: 'see you',
});
const left = await fetch(out, { redirect: 'manual' });
const notice = await told;
heard.close();
let refreshed = true;
for (let tries = 0; refreshed && tries < 50; tries += 1) {
  refreshed = await lib.fetchUserInfo(config, tokens.access_token, claims.sub).then(
    () => true,
    () => false,
  );
}

console.log(
  JSON.stringify({
    person,
    same_person: person.sub === claims.sub,
    left: left.headers.get('location'),
    same_session: notice.sid === claims.sid && notice.sub === claims.sub,
    events: Object.keys(notice.events),
    still_knows: refreshed,
  }),
);
