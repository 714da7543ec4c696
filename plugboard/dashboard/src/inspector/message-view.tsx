// The request and the response of an exchange: first line, fields, body and trailers.

import type { ExchangeBody } from '../../../admin/api-types.ts'
import { Chip } from '../parts/chip.tsx'
import { StatusChip } from '../parts/status-chip.tsx'
import { BodyView } from './body-view.tsx'
import { MaskedText } from './masked-text.tsx'

type Pairs = ExchangeBody['received']['fields']

export function RequestView({ received }: { received: ExchangeBody['received'] }) {
  const { method, target, fields, body, trailers } = received
  return (
    <section class="stack" aria-label="Request">
      <h3>Request</h3>
      <p class="mono break">
        {method} <MaskedText text={target} />
      </p>
      <Fields title="Fields" fields={fields} />
      <BodyView label="request body" body={body} type={fieldValue(fields, 'content-type')} />
      {trailers !== null && <Fields title="Trailers" fields={trailers} />}
    </section>
  )
}

export function ResponseView({ sent, interim }: Pick<ExchangeBody, 'sent' | 'interim'>) {
  return (
    <section class="stack" aria-label="Response">
      <h3>Response</h3>
      {interim.map(({ status, fields }, index) => (
        <Fields key={index} title={`Interim response ${status}`} fields={fields} />
      ))}
      {sent === null ? (
        <p class="soft">Plugboard sent no response: the client closed the connection first.</p>
      ) : (
        <>
          <p class="row">
            <StatusChip status={sent.status} /> {sent.statusText}
            {sent.isLocal && <Chip tone="warn">from Plugboard, not from the backend</Chip>}
          </p>
          <Fields title="Fields" fields={sent.fields} />
          <BodyView label="response body" body={sent.body} type={fieldValue(sent.fields, 'content-type')} />
          {sent.trailers !== null && <Fields title="Trailers" fields={sent.trailers} />}
        </>
      )}
    </section>
  )
}

function Fields({ title, fields }: { title: string; fields: Pairs }) {
  return (
    <details open={fields.length > 0}>
      <summary>
        {title} <span class="soft">{fields.length}</span>
      </summary>
      <dl class="details fields">
        {fields.map(([name, value], index) => (
          <Field key={index} name={name} value={value} />
        ))}
      </dl>
    </details>
  )
}

const Field = ({ name, value }: { name: string; value: string }) => (
  <>
    <dt>
      <MaskedText text={name} />
    </dt>
    <dd>
      <MaskedText text={value} />
    </dd>
  </>
)

/** Returns the first value of a field; empty without it. `name`: in lower case. */
const fieldValue = (fields: Pairs, name: string): string =>
  fields.find(([each]) => each.toLowerCase() === name)?.[1] ?? ''
