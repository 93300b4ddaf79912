// An OpenID Connect provider on a loopback port of the system's choice, for tests/oidc. Users sign in and consent by
// links that a program can follow. A line on standard input is an order, and each is answered by a line:
//   {"down": true}     hangs up on everybody, and keeps its port, which nobody else may take meanwhile
//   {"down": false}    serves again
//   {"rotate": true}   signs with a new key from now on, and shows no other
// Started with one JSON argument: { client: {...}, tls: { key, cert }, algorithm, claims, conform }.
import * as crypto from 'node:crypto';
import * as http from 'node:http';
import * as https from 'node:https';
import * as readline from 'node:readline';

import Provider from 'oidc-provider';

const settings = JSON.parse(process.argv[2]);
const algorithm = settings.algorithm ?? 'RS256';
const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

function key() {
  const kinds = {
    RS256: ['rsa', { modulusLength: 2048 }],
    PS256: ['rsa', { modulusLength: 2048 }],
    ES256: ['ec', { namedCurve: 'P-256' }],
    ES384: ['ec', { namedCurve: 'P-384' }],
    EdDSA: ['ed25519', {}],
  };
  const { privateKey } = crypto.generateKeyPairSync(...kinds[algorithm]);
  return {
    ...privateKey.export({ format: 'jwk' }),
    kid: crypto.randomUUID(),
    alg: algorithm,
    use: 'sig',
  };
}

// What outlives a change of keys, as the store of a real provider does: sessions, grants, codes.
const store = new Map();
class Store {
  constructor(model) {
    this.model = model;
  }
  async upsert(id, payload) {
    store.set(`${this.model} ${id}`, payload);
  }
  async find(id) {
    return store.get(`${this.model} ${id}`);
  }
  async findByUid(uid) {
    return [...store].find(([name, value]) => name.startsWith(this.model) && value.uid === uid)?.[1];
  }
  async findByUserCode() {}
  async destroy(id) {
    store.delete(`${this.model} ${id}`);
  }
  async revokeByGrantId(grant) {
    for (const [name, value] of store) if (value.grantId === grant) store.delete(name);
  }
  async consume(id) {
    store.get(`${this.model} ${id}`).consumed = Math.floor(Date.now() / 1000);
  }
}

function provider(issuer) {
  const provider = new Provider(issuer, {
    adapter: Store,
    clients: [settings.client],
    jwks: { keys: [key()] },
    cookies: { keys: ['cookies of a test'] },
    conformIdTokenClaims: settings.conform ?? false,
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name', 'groups'] },
    enabledJWA: {
      idTokenSigningAlgValues: [algorithm],
      userinfoSigningAlgValues: [algorithm],
    },
    features: {
      devInteractions: { enabled: false },
      backchannelLogout: { enabled: true },
      rpInitiatedLogout: {
        enabled: true,
        logoutSource: (ctx, form) => {
          ctx.body = form;
        },
      },
    },
    interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (ctx, id) => ({
      accountId: id,
      claims: () => ({ sub: id, ...settings.claims }),
    }),
  });
  provider.proxy = false;
  provider.use(interact(provider));
  for (const fault of ['server_error', 'grant.error', 'backchannel.error']) {
    provider.on(fault, (...values) => console.error(fault, ...values));
  }
  return provider;
}

// /interaction/<uid> says what is asked, /interaction/<uid>/yes?user=ana agrees, /interaction/<uid>/no declines.
function interact(provider) {
  return async (ctx, next) => {
    const [, place, , answer] = ctx.path.split('/');
    if (place !== 'interaction') return next();
    const { prompt, params, session, grantId } = await provider.interactionDetails(ctx.req, ctx.res);
    if (answer === undefined) {
      ctx.body = { prompt: prompt.name };
      return undefined;
    }
    let result = { error: 'access_denied', error_description: 'the user said no' };
    if (answer === 'yes' && prompt.name === 'login') {
      result = { login: { accountId: ctx.query.user } };
    } else if (answer === 'yes') {
      const grant = grantId
        ? await provider.Grant.find(grantId)
        : new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
      grant.addOIDCScope(params.scope);
      result = { consent: { grantId: await grant.save() } };
    }
    const answered = { mergeWithLastSubmission: answer === 'yes' };
    await provider.interactionFinished(ctx.req, ctx.res, result, answered);
    ctx.respond = false;
    return undefined;
  };
}

let down = false;
let serve;
const answer = (request, response) => {
  response.setHeader('connection', 'close');
  serve(request, response);
};
const server = settings.tls ? https.createServer(settings.tls, answer) : http.createServer(answer);
server.on('connection', (socket) => {
  if (down) socket.destroy();
});
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address();
  const issuer = settings.tls ? `https://localhost:${port}` : `http://127.0.0.1:${port}`;
  const renew = () => {
    serve = provider(issuer).callback();
  };
  renew();
  readline.createInterface({ input: process.stdin }).on('line', (line) => {
    const order = JSON.parse(line);
    if (order.rotate) renew();
    if (order.down !== undefined) down = order.down;
    say({ done: order });
  }).on('close', () => process.exit());
  say({ issuer });
});
