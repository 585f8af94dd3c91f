// The certified oidc-provider as somebody else's authorization server, for tests of a gateway that trusts it.
// usage: node identity_provider.mjs SETTINGS    a JSON file: {port, resources: {URI: "jwt" | "opaque"}, keys?,
//   groups: {login: [group]}, introspector?: {id, secret}, clients?: [metadata], ttl?,
//   gone?: a folder with one file for each account that is no more}    prints "ready ISSUER"; any password is right
import { createRequire } from 'node:module';
import { existsSync, readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const settings = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const resolve = createRequire(`${process.env.GATEKIT_PEERS_DIR}/package.json`).resolve;
const { Provider } = await import(pathToFileURL(resolve('oidc-provider')).href);

const issuer = `http://127.0.0.1:${settings.port}`;
const { introspector } = settings;
console.warn = console.info = () => {}; // it says at length that this is no production set-up; so do we

const provider = new Provider(issuer, {
  jwks: settings.keys,
  cookies: { keys: ['only for tests'] },
  scopes: ['openid', 'offline_access', 'mcp'],
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name', 'preferred_username'] },
  pkce: { required: () => true },
  ttl: { AccessToken: settings.ttl ?? 600, Grant: 3600, Session: 3600, Interaction: 600 },
  clients: [
    ...(settings.clients ?? []),
    ...(introspector
      ? [{
          client_id: introspector.id,
          client_secret: introspector.secret,
          token_endpoint_auth_method: 'client_secret_basic',
          grant_types: [],
          response_types: [],
          redirect_uris: [],
        }]
      : []),
  ],
  // It refuses to dial this machine otherwise; whom it tells of a logout is here.
  fetch: (url, { dispatcher, ...options }) => fetch(url, options),
  findAccount: (_, id) =>
    settings.gone && existsSync(`${settings.gone}/${encodeURIComponent(id)}`)
      ? undefined
      : {
          accountId: id,
          claims: () => ({ sub: id, email: `${id}@example.com`, email_verified: true, name: `Person ${id}` }),
        },
  extraTokenClaims: (_, token) =>
    token.accountId && {
      preferred_username: token.accountId,
      email: `${token.accountId}@example.com`,
      email_verified: true,
      realm_access: { roles: settings.groups?.[token.accountId] ?? [] },
    },
  features: {
    devInteractions: { enabled: true },
    backchannelLogout: { enabled: true },
    registration: { enabled: true },
    introspection: { enabled: true, allowedPolicy: () => true },
    revocation: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => undefined,
      useGrantedResource: () => true,
      getResourceServerInfo: (_, uri) => {
        const format = settings.resources[uri];
        if (!format) throw new Error(`unknown resource ${uri}`);
        return { scope: 'mcp', audience: uri, accessTokenFormat: format, jwt: { sign: { alg: 'RS256' } } };
      },
    },
  },
});
provider.listen(settings.port, '127.0.0.1', () => console.log(`ready ${issuer}`));
