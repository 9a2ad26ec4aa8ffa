// Times libsignal (PQXDH and its ratchet) through Node: set-up and turns, as the benches beside it do.
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { performance } from 'node:perf_hooks';

const require = createRequire(resolve(process.argv[2]) + '/');
const s = require('@signalapp/libsignal-client');
const ROUNDS = 200;
const WARM_UP = 20;
const TEXT = Buffer.from('a message of some length, as people write it');

class Person extends s.SessionStore {
  constructor(name) {
    super();
    this.address = s.ProtocolAddress.new(name, 1);
    this.key = s.PrivateKey.generate();
    this.session = null;
    this.keys = new Map();
    const self = this;
    this.identity = new (class extends s.IdentityKeyStore {
      async getIdentityKey() { return self.key; }
      async getLocalRegistrationId() { return 1; }
      async saveIdentity() { return s.IdentityChange.NewOrUnchanged; }
      async isTrustedIdentity() { return true; }
      async getIdentity() { return null; }
    })();
    const store = (base, save, get) => {
      const made = new (class extends base {})();
      made[save] = async (id, record) => { self.keys.set(get + id, record); };
      made[get] = async (id) => self.keys.get(get + id);
      return made;
    };
    this.preKeys = store(s.PreKeyStore, 'savePreKey', 'getPreKey');
    this.preKeys.removePreKey = async () => {};
    this.signed = store(s.SignedPreKeyStore, 'saveSignedPreKey', 'getSignedPreKey');
    this.kyber = store(s.KyberPreKeyStore, 'saveKyberPreKey', 'getKyberPreKey');
    this.kyber.markKyberPreKeyUsed = async () => {};
  }
  async saveSession(_, record) { this.session = record; }
  async getSession() { return this.session; }
  async getExistingSessions() { return [this.session]; }

  async bundle() {
    const one = s.PrivateKey.generate();
    const signed = s.PrivateKey.generate();
    const kyber = s.KEMKeyPair.generate();
    const sign = (key) => this.key.sign(key.serialize());
    const signature = sign(signed.getPublicKey());
    const kyberSignature = sign(kyber.getPublicKey());
    await this.preKeys.savePreKey(1, s.PreKeyRecord.new(1, one.getPublicKey(), one));
    await this.signed.saveSignedPreKey(
      1, s.SignedPreKeyRecord.new(1, Date.now(), signed.getPublicKey(), signed, signature));
    await this.kyber.saveKyberPreKey(1, s.KyberPreKeyRecord.new(1, Date.now(), kyber, kyberSignature));
    return s.PreKeyBundle.new(
      1, 1, 1, one.getPublicKey(), 1, signed.getPublicKey(), signature, this.key.getPublicKey(),
      1, kyber.getPublicKey(), kyberSignature);
  }
}

const times = new Map();
async function time(name, work) {
  const started = performance.now();
  const result = await work();
  if (!times.has(name)) times.set(name, []);
  times.get(name).push((performance.now() - started) * 1000);
  return result;
}

const encrypt = (from, to) => s.signalEncrypt(TEXT, to.address, from.address, from, from.identity);

async function turn(from, to, isFirst) {
  const message = await time(isFirst ? 'set-up, sealed' : 'turn, sealed', () => encrypt(from, to));
  const bytes = message.serialize();
  if (message.type() === s.CiphertextMessageType.PreKey) {
    await time('set-up, opened', () => s.signalDecryptPreKey(
      s.PreKeySignalMessage.deserialize(bytes), from.address, to.address, to, to.identity,
      to.preKeys, to.signed, to.kyber));
  } else {
    await time('turn, opened', () => s.signalDecrypt(
      s.SignalMessage.deserialize(bytes), from.address, to.address, to, to.identity));
  }
}

for (let round = 0; round < ROUNDS + WARM_UP; round++) {
  const [alice, bob] = [new Person('alice'), new Person('bob')];
  const bundle = await time('keys', () => bob.bundle());
  await time('set-up, bundle', () => s.processPreKeyBundle(
    bundle, bob.address, alice.address, alice, alice.identity));
  await turn(alice, bob, true);
  await turn(bob, alice, false);
  await turn(alice, bob, false);
}

console.log(`| libsignal through Node ${process.version} | µs, median of ${ROUNDS} |\n|---|---|`);
for (const [name, all] of times) {
  const sorted = all.slice(WARM_UP).sort((a, b) => a - b);
  console.log(`| ${name} | ${sorted[sorted.length >> 1].toFixed(1)} |`);
}
