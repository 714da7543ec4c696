// The form of a new API key. The key itself is shown once.

import { useState } from 'preact/hooks'
import type { CreatedKeyBody } from '../../../../admin/api-types.ts'
import { request } from '../../api/request.ts'
import { CreateDialog } from '../../forms/create-dialog.tsx'
import { Field } from '../../forms/field.tsx'
import { SCOPE_TEXTS } from './scope-text.ts'
import { ShownOnce } from './shown-once.tsx'

export function NewKey({ onClose }: { onClose: () => void }) {
  const [name, setName] = useState('')
  const [scopes, setScopes] = useState<ReadonlySet<string>>(new Set(['status:read']))
  const [ttl, setTtl] = useState('')
  const [created, setCreated] = useState<CreatedKeyBody | undefined>(undefined)
  if (created !== undefined) {
    return (
      <ShownOnce
        title={`API key ${created.name}`}
        notice="Copy the key now. It is shown only once."
        secret={created.key}
        onClose={onClose}
      />
    )
  }
  const create = async (): Promise<void> => {
    const body = { name, scopes: [...scopes], ...(ttl === '' ? {} : { ttl }) }
    setCreated((await request<CreatedKeyBody>('POST', '/v1/keys', { body })).body)
  }
  return (
    <CreateDialog title="Create an API key" submit="Create" create={create} onClose={onClose}>
      {error => (
        <>
          <Field
            name="name"
            label="Name"
            value={name}
            onInput={setName}
            error={error}
            required
            placeholder="deploy"
          />
          <fieldset>
            <legend>Scopes</legend>
            <div class="scopes">
              {Object.entries(SCOPE_TEXTS).map(([scope, text]) => (
                <label key={scope}>
                  <input
                    type="checkbox"
                    checked={scopes.has(scope)}
                    onChange={event => {
                      const next = new Set(scopes)
                      if (event.currentTarget.checked) next.add(scope)
                      else next.delete(scope)
                      setScopes(next)
                    }}
                  />
                  <span>
                    <span class="mono">{scope}</span> <span class="soft small">{text}</span>
                  </span>
                </label>
              ))}
            </div>
          </fieldset>
          <Field
            name="ttl"
            label="Lifetime (empty: until it is revoked)"
            value={ttl}
            onInput={setTtl}
            error={error}
            placeholder="365d"
          />
        </>
      )}
    </CreateDialog>
  )
}
