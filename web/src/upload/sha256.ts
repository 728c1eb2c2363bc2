/** SHA-256 of bytes that come piece by piece (FIPS 180-4); WebCrypto takes only the whole. */

const ROUNDS = 64
const BLOCK = 64

const primes = (): number[] => {
  const found: number[] = []
  for (let n = 2; found.length < ROUNDS; n += 1) if (found.every((prime) => n % prime)) found.push(n)
  return found
}
/** The first 32 bits of the fraction of a number. */
const fraction = (value: number): number => ((value - Math.floor(value)) * 2 ** 32) | 0

const CONSTANTS = Int32Array.from(primes(), (prime) => fraction(Math.cbrt(prime)))
const INITIAL = Int32Array.from(primes().slice(0, 8), (prime) => fraction(Math.sqrt(prime)))

export class Sha256 {
  readonly #state = INITIAL.slice()
  readonly #schedule = new Int32Array(ROUNDS)
  readonly #rest = new Uint8Array(BLOCK)
  #resting = 0
  #length = 0

  update(bytes: Uint8Array): this {
    this.#length += bytes.length
    let at = 0
    if (this.#resting) {
      at = Math.min(BLOCK - this.#resting, bytes.length)
      this.#rest.set(bytes.subarray(0, at), this.#resting)
      this.#resting += at
      if (this.#resting < BLOCK) return this
      this.#block(this.#rest, 0)
      this.#resting = 0
    }
    for (; at + BLOCK <= bytes.length; at += BLOCK) this.#block(bytes, at)
    this.#rest.set(bytes.subarray(at))
    this.#resting = bytes.length - at
    return this
  }

  /** Ends the message and returns its digest in lower-case hexadecimal. */
  digest(): string {
    const bits = BigInt(this.#length) * 8n
    const zeros = (2 * BLOCK - 9 - this.#resting) % BLOCK
    const tail = new Uint8Array(1 + zeros + 8)
    tail[0] = 0x80
    new DataView(tail.buffer).setBigUint64(1 + zeros, bits)
    this.update(tail)
    return Array.from(this.#state, (word) => (word >>> 0).toString(16).padStart(8, '0')).join('')
  }

  #block(bytes: Uint8Array, at: number): void {
    const w = this.#schedule
    for (let i = 0; i < 16; i += 1) {
      const j = at + 4 * i
      w[i] = (bytes[j]! << 24) | (bytes[j + 1]! << 16) | (bytes[j + 2]! << 8) | bytes[j + 3]!
    }
    for (let i = 16; i < ROUNDS; i += 1) {
      const x = w[i - 15]!
      const y = w[i - 2]!
      const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3)
      const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10)
      w[i] = (w[i - 16]! + s0 + w[i - 7]! + s1) | 0
    }
    let [a, b, c, d, e, f, g, h] = this.#state as unknown as [
      number, number, number, number, number, number, number, number,
    ]
    for (let i = 0; i < ROUNDS; i += 1) {
      const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7))
      const t1 = (h + s1 + ((e & f) ^ (~e & g)) + CONSTANTS[i]! + w[i]!) | 0
      const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10))
      const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0
      h = g
      g = f
      f = e
      e = (d + t1) | 0
      d = c
      c = b
      b = a
      a = (t1 + t2) | 0
    }
    const s = this.#state
    s[0] = s[0]! + a
    s[1] = s[1]! + b
    s[2] = s[2]! + c
    s[3] = s[3]! + d
    s[4] = s[4]! + e
    s[5] = s[5]! + f
    s[6] = s[6]! + g
    s[7] = s[7]! + h
  }
}
