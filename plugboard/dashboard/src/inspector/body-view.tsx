// The body of a request or a response: JSON with indents, a form as a table, other text as it is, and each of them as bytes.

import { indentJson } from '@vera-stack/shared/text/indent-json.ts'
import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'
import type { CapturedBodyBody } from '../../../admin/api-types.ts'
import { Choice } from '../forms/choice.tsx'
import { bytes } from '../parts/format.ts'
import { hexLines, MAX_HEX_BYTES } from './hex-lines.ts'
import { MaskedText } from './masked-text.tsx'

const OMISSIONS: Readonly<Record<NonNullable<CapturedBodyBody['omitted']>, string>> = {
  type: 'The inspector finds no secrets in bodies of this type, so it does not keep them.',
  charset: 'It is not UTF-8, ASCII or Latin-1 text.',
  encoding: 'Its content coding is unknown or malformed, or too many bodies were decoded at that moment.',
  malformed: 'It is not valid for its type from this point on.',
  memory: 'The inspector was at its limit of memory.',
  rate: 'The inspector was at its limit of work in one second.',
  stream: 'Bytes of a WebSocket or an event stream are counted, but not kept.',
}

/** `type`: the value of Content-Type; empty without it. */
export function BodyView({
  label,
  body,
  type,
}: {
  label: string
  body: CapturedBodyBody | null
  type: string
}) {
  const format = formatOf(type)
  const names = format === undefined ? (['text', 'hex'] as const) : ([format, 'text', 'hex'] as const)
  const [chosen, setChosen] = useState<View>(names[0])
  const view = names.find(name => name === chosen) ?? names[0]
  if (body === null) return <p class="soft">No body.</p>
  return (
    <div class="stack">
      <div class="row">
        {body.text !== null && (
          <Choice label={`View of the ${label}`} names={names} selected={view} onSelect={setChosen} />
        )}
        <span class="soft small">
          {bytes(body.bytes)} {type}
        </span>
      </div>
      {body.text !== null && <Content label={label} text={body.text} view={view} />}
      {body.isCut && (
        <p class="soft">
          {body.text === null ? 'The content is not kept. ' : 'The rest is not kept. '}
          {body.omitted === null
            ? 'The body is longer than maxBodyBytes of the inspector.'
            : OMISSIONS[body.omitted]}
        </p>
      )}
    </div>
  )
}

type View = 'JSON' | 'form' | 'text' | 'hex'

function formatOf(type: string): 'JSON' | 'form' | undefined {
  const media = type.split(';', 1)[0]?.trim().toLowerCase() ?? ''
  if (/^[\w.-]+\/(?:[\w.-]+\+)?(?:x-)?(?:json|ndjson|json-seq|jsonlines)$/.test(media)) return 'JSON'
  return media === 'application/x-www-form-urlencoded' ? 'form' : undefined
}

function Content({ label, text, view }: { label: string; text: string; view: View }) {
  if (view === 'form') return <Form label={label} text={text} />
  if (view === 'hex') {
    const lines = hexLines(text)
    return (
      <>
        <Text label={label} text={lines.join('\n')} />
        {lines.length * 16 >= MAX_HEX_BYTES && (
          <p class="soft">Only the first {bytes(MAX_HEX_BYTES)} are shown.</p>
        )}
      </>
    )
  }
  return <Text label={label} text={view === 'JSON' ? indentJson(text) : text} />
}

const Text = ({ label, text }: { label: string; text: string }) => (
  <Box label={label}>
    <pre>
      <MaskedText text={text} />
    </pre>
  </Box>
)

const Form = ({ label, text }: { label: string; text: string }) => (
  <Box label={label}>
    <dl class="details fields">
      {[...new URLSearchParams(text)].map(([name, value], index) => (
        <FormRow key={index} name={name} value={value} />
      ))}
    </dl>
  </Box>
)

const Box = ({ label, children }: { label: string; children: ComponentChildren }) => (
  // biome-ignore lint/a11y/noNoninteractiveTabindex: the box can have the focus, so that the keyboard can scroll it
  <section class="content" tabIndex={0} aria-label={label}>
    {children}
  </section>
)

const FormRow = ({ name, value }: { name: string; value: string }) => (
  <>
    <dt>{name}</dt>
    <dd>
      <MaskedText text={value} />
    </dd>
  </>
)
