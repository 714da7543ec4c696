// A route's options, or whatever holds them, as readers may see them: hashes of passwords help nobody who reads a list of
// routes or a change log, and a password in a file to be imported is for the server alone.

/** A copy in which `password` and `hash` of all `users` are `***`. For what JSON.parse gives. */
export function maskedPasswords<Value>(value: Value): Value {
  if (Array.isArray(value)) return value.map(maskedPasswords) as Value
  if (!isObject(value)) return value
  return mapped(value, (key, each) =>
    key === 'users' && Array.isArray(each) ? each.map(maskedUser) : maskedPasswords(each),
  ) as Value
}

const maskedUser = (user: unknown): unknown =>
  isObject(user) ? mapped(user, (key, each) => (key === 'password' || key === 'hash' ? '***' : each)) : user

function mapped(object: object, change: (key: string, value: unknown) => unknown): object {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(key, value)]))
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null
