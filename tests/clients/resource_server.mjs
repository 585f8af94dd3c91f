// A small API of somebody else: oauth4webapi (certified) checks each request, by signature or by asking.
//   argv: ISSUER IDENTIFIER jwt|introspect NAME SECRET     prints its port; answers { sub, scope } or 401
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const [, , issuerText, identifier, how, name, secret] = process.argv;
const require = createRequire(pathToFileURL(`${process.env.GATEKIT_PEERS_DIR}/package.json`));
const lib = await import(pathToFileURL(require.resolve('oauth4webapi')));
const plain = { [lib.allowInsecureRequests]: true };
const issuer = new URL(issuerText);
const as = await lib.processDiscoveryResponse(issuer, await lib.discoveryRequest(issuer, { ...plain, algorithm: 'oauth2' }));

async function bySignature(request) {
  return lib.validateJwtAccessToken(as, request, identifier, { ...plain, signingAlgorithms: ['ES256'] });
}

async function byAsking(request) {
  const token = (request.headers.get('authorization') ?? '').replace(/^Bearer /, '');
  const client = { client_id: name };
  const answer = await lib.introspectionRequest(as, client, lib.ClientSecretBasic(secret), token, plain);
  const said = await lib.processIntrospectionResponse(as, client, answer);
  if (!said.active || said.aud !== identifier || said.iss !== issuerText) throw new Error('not for us');
  return said;
}

const server = createServer(async (incoming, outgoing) => {
  const request = new Request(identifier, { headers: incoming.headers.authorization ? { authorization: incoming.headers.authorization } : {} });
  try {
    const { sub, scope } = await (how === 'jwt' ? bySignature : byAsking)(request);
    outgoing.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ sub, scope }));
  } catch (refused) {
    outgoing.writeHead(401, { 'content-type': 'application/json' }).end(JSON.stringify({ refused: String(refused) }));
  }
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
