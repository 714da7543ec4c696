// One row per setting. A table of rows is the single list of settings: `--help`, variables, the YAML file, the page of settings
// and the type of the result all derive from it.

import type { z } from 'zod'
import {
  booleanKind,
  bytesKind,
  choiceKind,
  durationKind,
  fractionKind,
  integerKind,
  type Kind,
  type ListenAddress,
  listenKind,
  listenListKind,
  listKind,
  parseBytes,
  parseDuration,
  pathKind,
  percentKind,
  textKind,
  urlKind,
} from './kind.ts'
import type { SettingProblem, Source } from './source.ts'

/** `T` is the type of the value; it includes `undefined` when the setting has no default and is not required. */
export interface Row<T> {
  readonly kind: Kind<T>
  /** The default as a person writes it. It is parsed like every other source, so an invalid default fails the first start. */
  readonly default: unknown
  readonly required: boolean
  readonly secret: boolean
  /** True when the value is the path of a file whose content is secret. */
  readonly holdsSecret: boolean
  /** One line: the effect of the setting. Flag and variable are added to it. */
  readonly help: string
  /** Heading of the setting's options in `--help`; undefined: the general options. */
  readonly group: string | undefined
  /** Text such as `at least 1s, at most 1h`; empty without bounds. */
  readonly bounds: string
  /** One letter for a short flag. */
  readonly short: string | undefined
  /** The value of the flag without a value. Undefined: the flag needs a value. */
  readonly bare: string | undefined
  /** Variables without our prefix that also set it, such as `DATABASE_URL`. */
  readonly variables: readonly string[]
  /** The shape of a structured setting, which only the YAML file can hold. */
  readonly schema: z.ZodType<T> | undefined
}

export type SettingsTable = Readonly<Record<string, Row<unknown>>>
export type SettingsOf<Table extends SettingsTable> = {
  readonly [Key in keyof Table]: Table[Key] extends Row<infer T> ? T : never
}

/** The result of `loadSettings`: the values, and the source of each value. */
export interface LoadedSettings<Table extends SettingsTable> {
  readonly values: SettingsOf<Table>
  readonly sources: { readonly [Key in keyof Table]: Source }
  /** Files with secrets that other users of the machine can read or change. The values can still be used. */
  readonly warnings: readonly SettingProblem[]
}

interface Options {
  readonly help: string
  readonly default?: unknown
  readonly required?: true
  readonly secret?: boolean
  readonly holdsSecret?: boolean
  readonly short?: string
  readonly bare?: string
  readonly variables?: readonly string[]
}

/** The type of the value. A setting with a default, or a required one, always has a value. */
type Filled<T, O extends Options> = O extends { readonly default: unknown } | { readonly required: true }
  ? T
  : T | undefined

function row<T, O extends Options>(
  kind: Kind<T>,
  options: O,
  bounds = '',
  schema?: z.ZodType<T>,
): Row<Filled<T, O>> {
  return {
    kind: kind as Kind<Filled<T, O>>,
    default: options.default,
    required: options.required ?? false,
    secret: options.secret ?? false,
    holdsSecret: options.holdsSecret ?? false,
    help: options.help,
    group: undefined,
    bounds,
    short: options.short,
    bare: options.bare,
    variables: options.variables ?? [],
    schema: schema as z.ZodType<Filled<T, O>> | undefined,
  }
}

interface Bounded extends Options {
  readonly min?: number | string
  readonly max?: number | string
}

const boundsText = ({ min, max }: Bounded): string =>
  [min === undefined ? '' : `at least ${min}`, max === undefined ? '' : `at most ${max}`]
    .filter(part => part !== '')
    .join(', ')

function boundsOf(
  { min, max }: Bounded,
  lowest: number,
  parse: (raw: unknown) => { ok: boolean; value?: number },
) {
  const read = (raw: number | string | undefined, otherwise: number): number => {
    if (raw === undefined) return otherwise
    const parsed = parse(raw)
    if (!parsed.ok || parsed.value === undefined) throw new TypeError(`a bound of ${raw} cannot be read`)
    return parsed.value
  }
  return { min: read(min, lowest), max: read(max, Number.MAX_SAFE_INTEGER) }
}

const plainNumber = (raw: unknown) => ({ ok: typeof raw === 'number', value: Number(raw) })

/** Returns the rows with the heading that their options have in `--help`. */
export function group<const Table extends SettingsTable>(heading: string, rows: Table): Table {
  const entries = Object.entries(rows).map(([key, row]) => [key, { ...row, group: heading }])
  return Object.fromEntries(entries) as Table
}

/**
 * Functions that create rows, one per kind. The key of a duration ends in `Ms`, the key of a size in `Bytes`, and the key of a
 * percentage in `Percent`.
 */
export const setting = {
  text: <const O extends Options>(options: O) => row<string, O>(textKind, options),
  integer: <const O extends Bounded>(options: O) =>
    row<number, O>(integerKind(boundsOf(options, 0, plainNumber)), options, boundsText(options)),
  port: <const O extends Options>(options: O) =>
    row<number, O>(integerKind({ min: 0, max: 65_535 }, 'port'), options),
  duration: <const O extends Bounded>(options: O) =>
    row<number, O>(durationKind(boundsOf(options, 0, parseDuration)), options, boundsText(options)),
  bytes: <const O extends Bounded>(options: O) =>
    row<number, O>(bytesKind(boundsOf(options, 0, parseBytes)), options, boundsText(options)),
  percent: <const O extends Bounded>(options: O) =>
    row<number, O>(
      percentKind(boundsOf({ max: 100, ...options }, 0, plainNumber)),
      options,
      boundsText(options),
    ),
  fraction: <const O extends Options>(options: O) => row<number, O>(fractionKind, options),
  boolean: <const O extends Options>(options: O) => row<boolean, O>(booleanKind, options),
  /** `check` returns the problem of a URL, or undefined. */
  url: <
    const O extends Options & { readonly protocols: readonly string[]; check?(url: URL): string | undefined },
  >(
    options: O,
  ) => row<string, O>(urlKind(options.protocols, options.check), options),
  path: <const O extends Options>(options: O) => row<string, O>(pathKind, options),
  /** `aliases`: further names of choices, which the help does not list. */
  choice: <
    const T extends string,
    const O extends Options & { readonly aliases?: Readonly<Record<string, NoInfer<T>>> },
  >(
    choices: readonly T[],
    options: O,
  ) => row<T, O>(choiceKind(choices, options.aliases), options),
  listen: <const O extends Options>(options: O) => row<ListenAddress, O>(listenKind, options),
  listenList: <const O extends Options>(options: O) =>
    row<readonly ListenAddress[], O>(listenListKind, options),
  /** `check` returns the problem of an item, or undefined. */
  list: <const O extends Options & { readonly item: string; check?(item: string): string | undefined }>(
    options: O,
  ) => row<readonly string[], O>(listKind(options.item, options.check), options),
  /** A structured part of the YAML file. It has no flag and no variable. */
  structure: <T, const O extends Options>(schema: z.ZodType<T>, options: O) =>
    row<T, O>(structureKind as Kind<T>, options, '', schema),
}

const structureKind: Kind<unknown> = {
  name: 'section of the file',
  placeholder: '',
  parse: () => ({ ok: false, problem: 'can be set in the file only' }),
  format: value => JSON.stringify(value),
}

const UNIT_SUFFIXES: Readonly<Record<string, string>> = {
  duration: 'Ms',
  size: 'Bytes',
  percentage: 'Percent',
}

/**
 * Returns the name of a setting for users. `drainTimeoutMs` of the program is `drainTimeout: 30s`, with the unit in the
 * value.
 */
export function nameOf(key: string, row: Row<unknown>): string {
  const suffix = UNIT_SUFFIXES[row.kind.name] ?? ''
  if (!key.endsWith(suffix)) throw new TypeError(`the setting ${key} must end in ${suffix}`)
  return key.slice(0, key.length - suffix.length)
}

const kebab = (name: string): string => name.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)
export const flagOf = (name: string): string => `--${kebab(name)}`
export const variableOf = (prefix: string, name: string): string =>
  prefix + kebab(name).replaceAll('-', '_').toUpperCase()
