// Two certified OpenID Connect client libraries with every check that they have: discovery, nonce, max_age,
// issuer of the answer, ID token with its signature, userinfo, refresh, revocation; a client with a secret.
//   argv: ISSUER oauth4webapi|openid-client client_secret_basic|client_secret_post CLIENT_ID SECRET      out: { sub, userinfo, refreshed, refused }
import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';

const [, , issuer, library, method, client_id, client_secret] = process.argv;
const require = createRequire(pathToFileURL(`${process.env.GATEKIT_PEERS_DIR}/package.json`));
const lib = await import(pathToFileURL(require.resolve(library)));
const redirect_uri = 'http://127.0.0.1:33421/callback';
const request = { redirect_uri, response_type: 'code', scope: 'openid profile', max_age: '600' };

async function browse(authorizeUrl) {
  const { stdout } = await promisify(execFile)(process.env.GATEKIT_PYTHON, [process.env.GATEKIT_HOOK, String(authorizeUrl)]);
  return new URL(stdout.trim());
}

async function refused(promise) {
  try {
    await promise;
  } catch (error) {
    return error.error ?? error.cause?.error ?? error.code ?? error.message;
  }
  return 'taken';
}

async function withOauth4webapi() {
  const plain = { [lib.allowInsecureRequests]: true };
  const url = new URL(issuer);
  const as = await lib.processDiscoveryResponse(url, await lib.discoveryRequest(url, { ...plain, algorithm: 'oidc' }));
  const client = { client_id, default_max_age: 600 };
  const auth = method === 'client_secret_basic' ? lib.ClientSecretBasic(client_secret) : lib.ClientSecretPost(client_secret);
  const [verifier, state, nonce] = [lib.generateRandomCodeVerifier(), lib.generateRandomState(), lib.generateRandomNonce()];
  const to = new URL(as.authorization_endpoint);
  to.search = new URLSearchParams({
    ...request, state, nonce, client_id,
    code_challenge: await lib.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256',
  });
  const back = lib.validateAuthResponse(as, client, await browse(to), state);
  const redeem = () => lib.authorizationCodeGrantRequest(as, client, auth, back, redirect_uri, verifier, plain);
  const answer = await redeem();
  const tokens = await lib.processAuthorizationCodeResponse(as, client, answer, { expectedNonce: nonce, maxAge: 600, requireIdToken: true });
  await lib.validateApplicationLevelSignature(as, answer, plain);
  const claims = lib.getValidatedIdTokenClaims(tokens);
  const info = await lib.processUserInfoResponse(as, client, claims.sub, await lib.userInfoRequest(as, client, tokens.access_token, plain));
  const renewed = await lib.processRefreshTokenResponse(as, client, await lib.refreshTokenGrantRequest(as, client, auth, tokens.refresh_token, plain));
  await lib.processRevocationResponse(await lib.revocationRequest(as, client, auth, renewed.refresh_token, plain));
  const again = lib.refreshTokenGrantRequest(as, client, auth, renewed.refresh_token, plain).then((r) => lib.processRefreshTokenResponse(as, client, r));
  return { sub: claims.sub, userinfo: info.sub, refreshed: Boolean(renewed.access_token), refused: await refused(again) };
}

async function withOpenidClient() {
  const auth = method === 'client_secret_basic' ? lib.ClientSecretBasic(client_secret) : lib.ClientSecretPost(client_secret);
  const plain = { execute: [lib.allowInsecureRequests, lib.enableNonRepudiationChecks], algorithm: 'oidc' };
  const config = await lib.discovery(new URL(issuer), client_id, { client_secret, default_max_age: 600 }, auth, plain);
  const [verifier, state, nonce] = [lib.randomPKCECodeVerifier(), lib.randomState(), lib.randomNonce()];
  const to = lib.buildAuthorizationUrl(config, {
    ...request, state, nonce, code_challenge: await lib.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256',
  });
  const checks = { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, maxAge: 600, idTokenExpected: true };
  const tokens = await lib.authorizationCodeGrant(config, await browse(to), checks);
  const { sub } = tokens.claims();
  const info = await lib.fetchUserInfo(config, tokens.access_token, sub);
  const renewed = await lib.refreshTokenGrant(config, tokens.refresh_token);
  await lib.tokenRevocation(config, renewed.refresh_token);
  return { sub, userinfo: info.sub, refreshed: Boolean(renewed.access_token), refused: await refused(lib.refreshTokenGrant(config, renewed.refresh_token)) };
}

console.log(JSON.stringify(await (library === 'oauth4webapi' ? withOauth4webapi() : withOpenidClient())));
