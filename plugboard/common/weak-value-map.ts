// A map that does not keep its values alive: an entry lasts as long as other code uses its value. It is for objects that
// several users share by name, when a single user cannot detect that it is the last one.

export class WeakValueMap<Value extends object> {
  readonly #references = new Map<string, WeakRef<Value>>()
  readonly #collected = new FinalizationRegistry<string>(key => {
    // The key may have a new value by now.
    if (this.#references.get(key)?.deref() === undefined) this.#references.delete(key)
  })

  /** Returns the value of the key, or a new one that is the key's from here on. */
  getOrAdd(key: string, make: () => Value): Value {
    const known = this.#references.get(key)?.deref()
    if (known !== undefined) return known
    const value = make()
    this.#references.set(key, new WeakRef(value))
    this.#collected.register(value, key)
    return value
  }
}
