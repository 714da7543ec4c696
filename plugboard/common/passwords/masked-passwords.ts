// Masks passwords and their hashes in route options, and in values that contain route options. Readers of a list of routes or
// of the change log do not need hashes, and a password in an import file is for the server only.

/** Returns a copy in which `password` and `hash` of all `users` are `***`. `value`: a result of JSON.parse. */
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
