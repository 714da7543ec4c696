// Buffers that batches are written into, reused across all sessions of the process: a fresh 128 KiB buffer
// a batch would leave the garbage collector a gigabyte of external memory for each gigabyte sent.

export const SLAB_BYTES = 131_072
const KEPT_SLABS = 64

const free: Buffer[] = []

export function takeSlab(): Buffer {
  return free.pop() ?? Buffer.allocUnsafeSlow(SLAB_BYTES)
}

/** Gives a buffer back; one of another size, or one too many, is left to the garbage collector. */
export function giveSlab(slab: Buffer): void {
  if (slab.length === SLAB_BYTES && free.length < KEPT_SLABS) free.push(slab)
}
