// Strings that hold ids. A branded id is a plain string at run time. The compiler rejects an id of another kind, and a string
// that no parser has turned into an id. Each kind has one parser, beside its type, which holds the only cast.

declare const kindOfId: unique symbol

export type Branded<Kind extends string> = string & { readonly [kindOfId]: Kind }
