// Loaded with NODE_OPTIONS="--import …" into a client that has no option for a token: every request to the origin of
// GATEKIT_TARGET that carries no Authorization gets GATEKIT_TOKEN. Nothing stands in between, so hosts, streams and
// connections stay the client's own. Covers fetch (through undici's diagnostics) and node:http.
import diagnostics from 'node:diagnostics_channel';
import http from 'node:http';

const target = new URL(process.env.GATEKIT_TARGET ?? 'http://none.invalid').host;
const bearer = `Bearer ${process.env.GATEKIT_TOKEN}`;
const alike = (host) => host.replace(/^(127\.0\.0\.1|\[::1\])/, 'localhost');
const ours = (host) => alike(host) === alike(target);

diagnostics.channel('undici:request:create').subscribe(({ request }) => {
  if (!ours(new URL(request.origin).host)) return;
  const given = Array.isArray(request.headers) ? request.headers.filter((_, index) => index % 2 === 0) : String(request.headers ?? '').split('\r\n').map((line) => line.split(':')[0]);
  if (!given.some((name) => String(name).toLowerCase() === 'authorization')) request.addHeader('authorization', bearer);
});

const request = http.request;
http.request = function withBearer(...args) {
  const url = typeof args[0] === 'string' ? new URL(args[0]) : args[0] instanceof URL ? args[0] : undefined;
  const options = args.find((each) => each && typeof each === 'object' && !(each instanceof URL));
  const host = url?.host ?? `${options?.hostname ?? options?.host ?? 'localhost'}:${options?.port ?? 80}`;
  if (options && ours(host)) {
    if (Array.isArray(options.headers)) {
      const names = options.headers.filter((_, index) => index % 2 === 0).map((name) => String(name).toLowerCase());
      if (!names.includes('authorization')) options.headers.push('Authorization', bearer);
    } else if (!Object.keys(options.headers ?? {}).some((name) => name.toLowerCase() === 'authorization')) {
      options.headers = { ...options.headers, Authorization: bearer };
    }
  }
  return request.apply(this, args);
};
