// A real OpenID provider on loopback, for the tests of the service: oidc-provider, and pages for the test beside it.
//
//   node provider.mjs PORT
//
// serves on PORT (0: a free one) and prints one line of JSON once it does: {"issuer": "http://127.0.0.1:..."}. It ends
// by itself after ten minutes, whatever becomes of the test.
//
// /test/keys?r1=RS256&e1=ES256  from now on it publishes these keys, and signs with the first of an algorithm. Those it
//                               knows by their names stay the same keys, others are made.
// /test/sign-in?subject=ada     goes the whole way of the authorization code, as a browser would, and answers what the
//                               token endpoint answered. The ID token's audience is the client's id, "sopwith".
// /test/public?kid=r1           the public key in the forms that an attacker would try as a secret.
// /another/token                as /token, of another issuer with the same keys.
//
// Access tokens are JWTs for a resource that says how they shall be: https://api.example/ALGORITHM/AUDIENCE/SECONDS.

import { createHash, createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';

import { Provider } from 'oidc-provider';

const CLIENT_SECRET = 'a-secret-of-the-tests';
const PORTAL = 'https://portal.example/back';
const TYPES = {
  RS256: ['rsa', { modulusLength: 2048 }],
  ES256: ['ec', { namedCurve: 'P-256' }],
  EdDSA: ['ed25519', {}],
};

const made = new Map();
let keys = [];
let issuer;
let provider;
let another;

function key(kid, alg) {
  if (!made.has(kid)) {
    const { privateKey } = generateKeyPairSync(...TYPES[alg]);
    made.set(kid, { ...privateKey.export({ format: 'jwk' }), kid, alg, use: 'sig' });
  }
  return made.get(kid);
}

function publicForms(jwk) {
  const known = createPublicKey({ key: jwk, format: 'jwk' });
  const pem = known.export({ type: 'spki', format: 'pem' });
  return { pem, trimmed: pem.trim(), jwk: JSON.stringify({ ...known.export({ format: 'jwk' }), kid: jwk.kid }) };
}

// The attack that has a library take a public key for a secret: here the provider itself goes along with it.
function fooled() {
  return { alg: 'HS256', kid: keys[0].kid, key: Buffer.from(publicForms(keys[0]).pem) };
}

function resourceServer(_, resource) {
  const [alg, audience, seconds] = new URL(resource).pathname.slice(1).split('/');
  const sign = alg === 'HS256' ? fooled() : { alg };
  return { audience, scope: '', accessTokenFormat: 'jwt', accessTokenTTL: Number(seconds), jwt: { sign } };
}

function configuration() {
  const alg = keys[0].alg;
  const client = { client_secret: CLIENT_SECRET, id_token_signed_response_alg: alg };
  return {
    jwks: { keys },
    clients: [
      { ...client, client_id: 'tracker', grant_types: ['client_credentials'], redirect_uris: [], response_types: [] },
      { ...client, client_id: 'sopwith', redirect_uris: [PORTAL], require_auth_time: true },
    ],
    clientDefaults: { id_token_signed_response_alg: alg },
    claims: { openid: ['sub', 'name', 'email', 'email_verified', 'roles'] },
    // The portal of the tests reads the ID token alone.
    conformIdTokenClaims: false,
    findAccount: (_, sub) => {
      const person = { sub, name: `${sub} Example`, email: `${sub}@example.org`, email_verified: true, roles: ['author@ops'] };
      return { accountId: sub, claims: () => person };
    },
    extraTokenClaims: () => ({ roles: ['integration'], source: 'tracker' }),
    cookies: { keys: [randomBytes(16).toString('hex')] },
    interactions: { url: (_, { uid }) => `/test/interaction/${uid}` },
    ttl: { ClientCredentials: (_, token) => token.resourceServer.accessTokenTTL },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => undefined,
        getResourceServerInfo: resourceServer,
      },
    },
    // Everyone agrees to everything.
    loadExistingGrant: async ({ oidc }) => {
      const grant = new oidc.provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId });
      grant.addOIDCScope('openid');
      await grant.save();
      return grant;
    },
  };
}

function publish(wanted) {
  keys = [...wanted].map(([kid, alg]) => key(kid, alg));
  provider = new Provider(issuer, configuration());
  another = new Provider('https://another.example', configuration());
  for (const each of [provider, another]) each.on('server_error', (_, error) => console.error(error));
}

// Follows with cookies, as a browser does, until it is sent back to the portal.
async function signIn(subject) {
  const verifier = randomBytes(32).toString('base64url');
  const cookies = new Map();
  let url = new URL('/auth', issuer);
  url.search = new URLSearchParams({
    client_id: 'sopwith',
    response_type: 'code',
    scope: 'openid',
    redirect_uri: PORTAL,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    login_hint: subject,
  });
  for (let hops = 0; hops < 10; hops += 1) {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await fetch(url, { headers: { cookie }, redirect: 'manual' });
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
      cookies.set(name, value);
    }
    const location = response.headers.get('location');
    if (!location) throw new Error(`${url}: ${response.status} ${await response.text()}`);
    url = new URL(location, url);
    if (url.href.startsWith(PORTAL)) return exchange(url.searchParams.get('code'), verifier);
  }
  throw new Error('sent round in circles');
}

async function exchange(code, verifier) {
  const response = await fetch(new URL('/token', issuer), {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`sopwith:${CLIENT_SECRET}`).toString('base64')}` },
    body: new URLSearchParams({
      grant_type: 'authorization_code', code, redirect_uri: PORTAL, code_verifier: verifier,
    }),
  });
  return response.json();
}

async function testPage(request, response, url) {
  const answer = (value) => response.setHeader('content-type', 'application/json').end(JSON.stringify(value));
  switch (url.pathname) {
    case '/test/keys':
      publish(url.searchParams);
      return answer({});
    case '/test/sign-in':
      return answer(await signIn(url.searchParams.get('subject')));
    case '/test/public':
      return answer(publicForms(made.get(url.searchParams.get('kid'))));
    default: {
      const { params } = await provider.interactionDetails(request, response);
      return provider.interactionFinished(request, response, { login: { accountId: params.login_hint } });
    }
  }
}

const server = createServer((request, response) => {
  const url = new URL(request.url, issuer);
  if (url.pathname === '/another/token') {
    request.url = '/token';
    return another.callback()(request, response);
  }
  if (!url.pathname.startsWith('/test/')) return provider.callback()(request, response);
  return testPage(request, response, url).catch((error) => {
    response.statusCode = 500;
    response.end(String(error.stack));
  });
});

setTimeout(() => process.exit(1), 600_000).unref();
server.listen(Number(process.argv[2]), '127.0.0.1', () => {
  issuer = `http://127.0.0.1:${server.address().port}`;
  publish([['first', 'RS256']]);
  console.log(JSON.stringify({ issuer }));
});
