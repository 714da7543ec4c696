// The path of the bundle, for the middleware that treats its large body and its many changes apart.

export const BUNDLE_PATH = '/v1/bundle'
