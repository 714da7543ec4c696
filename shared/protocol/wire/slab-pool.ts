// A pool of buffers for batches. All sessions of the process share it. With a new 128 KiB buffer for each batch, the
// garbage collector would have to free a gigabyte of external memory for each gigabyte sent.

export const SLAB_BYTES = 131_072
const KEPT_SLABS = 64

const free: Buffer[] = []

export function takeSlab(): Buffer {
  return free.pop() ?? Buffer.allocUnsafeSlow(SLAB_BYTES)
}

/** Returns a buffer to the pool. A full pool, or a buffer of another size, leaves it to the garbage collector. */
export function giveSlab(slab: Buffer): void {
  if (slab.length === SLAB_BYTES && free.length < KEPT_SLABS) free.push(slab)
}
