// The form of a new token, and the command that uses it. The token itself is shown once.

import { useState } from 'preact/hooks'
import type { IssuedTokenBody } from '../../../../admin/api-types.ts'
import { request } from '../../api/request.ts'
import { CreateDialog } from '../../forms/create-dialog.tsx'
import { Field } from '../../forms/field.tsx'
import { CommandLine } from '../../parts/command-line.tsx'
import { Tabs } from '../../parts/drawer.tsx'
import { ShownOnce } from './shown-once.tsx'

const words = (text: string): string[] => text.split(/[\s,]+/).filter(word => word !== '')

export function NewToken({ onClose }: { onClose: () => void }) {
  const [name, setName] = useState('')
  const [services, setServices] = useState('')
  const [mounts, setMounts] = useState('')
  const [ttl, setTtl] = useState('30d')
  const [issued, setIssued] = useState<IssuedTokenBody | undefined>(undefined)
  if (issued !== undefined) return <Issued token={issued} onClose={onClose} />
  const create = async (): Promise<void> => {
    const body = { name, services: words(services), mounts: words(mounts), ttl }
    setIssued((await request<IssuedTokenBody>('POST', '/v1/tokens', { body })).body)
  }
  return (
    <CreateDialog title="Issue a token" submit="Issue" create={create} onClose={onClose}>
      {error => (
        <>
          <Field
            name="name"
            label="Name of the telephone"
            value={name}
            onInput={setName}
            error={error}
            required
            placeholder="web-1"
          />
          <Field
            name="services"
            label="Services that it may serve"
            value={services}
            onInput={setServices}
            error={error}
            placeholder="web shop-*"
          />
          <Field
            name="mounts"
            label="Mounts that it may claim"
            value={mounts}
            onInput={setMounts}
            error={error}
            placeholder="web.example.com"
          />
          <Field
            name="ttl"
            label="Lifetime"
            value={ttl}
            onInput={setTtl}
            error={error}
            required
            placeholder="30d"
          />
        </>
      )}
    </CreateDialog>
  )
}

const FORMS = [
  ['http', 'Command'],
  ['compose', 'Compose'],
  ['systemd', 'systemd'],
  ['kubernetes', 'Kubernetes'],
  ['library', 'Library'],
] as const
type Form = (typeof FORMS)[number][0]

function Issued({ token, onClose }: { token: IssuedTokenBody; onClose: () => void }) {
  const [form, setForm] = useState<Form>('http')
  return (
    <ShownOnce
      title={`Token ${token.name}`}
      notice="Copy it now. The token is shown only once."
      secret={token.token}
      onClose={onClose}
    >
      <Tabs names={FORMS} selected={form} onSelect={setForm} />
      <CommandLine command={textOf(form, token)} />
    </ShownOnce>
  )
}

function textOf(form: Form, { token, services, plugboardUrl, name }: IssuedTokenBody): string {
  const service = services.find(each => !each.includes('*')) ?? 'web'
  switch (form) {
    case 'http':
      return `TELEPHONE_TOKEN='${token}' telephone http 3000 --service ${service} --name ${name} --plugboard ${plugboardUrl}`
    case 'compose':
      return [
        'services:',
        '  telephone:',
        '    image: vera-stack/telephone',
        `    command: http http://app:3000 --service ${service}`,
        '    environment:',
        `      TELEPHONE_PLUGBOARD: ${plugboardUrl}`,
        `      TELEPHONE_NAME: ${name}`,
        `      TELEPHONE_TOKEN: ${token}`,
      ].join('\n')
    case 'systemd':
      return [
        '[Service]',
        `ExecStart=/usr/bin/telephone http 3000 --service ${service} --name ${name}`,
        `Environment=TELEPHONE_PLUGBOARD=${plugboardUrl}`,
        '# Write the token to this file, readable by root alone.',
        'LoadCredential=token:/etc/telephone/token',
        'Environment=TELEPHONE_TOKEN_FILE=%d/token',
        'Restart=always',
      ].join('\n')
    case 'kubernetes':
      return [
        `kubectl create secret generic telephone --from-literal=token='${token}'`,
        '# In the pod of the app:',
        '- name: telephone',
        '  image: vera-stack/telephone',
        `  args: [http, "3000", --service, ${service}]`,
        '  env:',
        `    - { name: TELEPHONE_PLUGBOARD, value: "${plugboardUrl}" }`,
        '    - { name: TELEPHONE_TOKEN, valueFrom: { secretKeyRef: { name: telephone, key: token } } }',
      ].join('\n')
    case 'library':
      return [
        "import { connect } from '@vera-stack/telephone'",
        '',
        `await connect({ plugboard: '${plugboardUrl}', token: process.env.TELEPHONE_TOKEN, service: '${service}', target: app.fetch })`,
      ].join('\n')
  }
}
