// Compares the Kubernetes example with the product: valid settings; ports, probes and times that agree; names that exist.
// Tests run without a Kubernetes cluster.

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { allowedHosts } from '../plugboard/admin/access/request-guard.ts'
import { loadPlugboardConfig, type PlugboardConfig } from '../plugboard/config.ts'
import { LEAVE_MS } from '../plugboard/replica/cluster/cluster.ts'
import { loadTelephoneConfig, type TelephoneConfig } from '../telephone/config.ts'
import { parseDockerfile } from './dockerfile.ts'

const FOLDER = join(import.meta.dirname, 'kubernetes')
/** The time for the last steps of a stop after the drain: closing tunnels, the admin port and the database. */
const LAST_STEPS_SECONDS = 5

interface Variable {
  readonly name: string
  readonly value?: string
  readonly valueFrom?: {
    readonly fieldRef?: { readonly fieldPath: string }
    readonly secretKeyRef?: { readonly name: string; readonly key: string }
  }
}

interface Probe {
  readonly httpGet?: {
    readonly path: string
    readonly port: string
    readonly httpHeaders: { readonly name: string; readonly value: string }[]
  }
  readonly exec?: { readonly command: string[] }
}

interface Container {
  readonly name: string
  readonly image: string
  readonly env?: Variable[]
  readonly ports?: { readonly name: string; readonly containerPort: number }[]
  readonly livenessProbe?: Probe
  readonly readinessProbe?: Probe
  readonly lifecycle?: { readonly preStop: { readonly exec: { readonly command: string[] } } }
  readonly volumeMounts?: { readonly name: string; readonly mountPath: string }[]
}

interface PodTemplate {
  readonly metadata: { readonly labels: Record<string, string> }
  readonly spec: {
    readonly terminationGracePeriodSeconds: number
    readonly securityContext: { readonly runAsUser: number; readonly runAsNonRoot: boolean }
    readonly containers: Container[]
    readonly volumes: { readonly name: string }[]
  }
}

/** The parts of an object that these tests check. */
interface Manifest {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string }
  readonly data?: Record<string, string>
  readonly stringData?: Record<string, string>
  readonly spec: {
    readonly serviceName?: string
    readonly selector?: Record<string, unknown>
    readonly clusterIP?: string
    readonly ports?: { readonly name: string; readonly port: number; readonly targetPort: string }[]
    readonly template?: PodTemplate
    readonly volumeClaimTemplates?: { readonly metadata: { readonly name: string } }[]
    readonly podSelector?: { readonly matchLabels: Record<string, string> }
    readonly ingress?: { readonly ports: { readonly port: string }[] }[]
  }
}

async function read(file: string): Promise<Manifest[]> {
  const documents = parseAllDocuments(await readFile(join(FOLDER, file), 'utf8'))
  for (const { errors } of documents as { errors: Error[] }[]) expect(errors).toEqual([])
  return (documents as { toJS(): unknown }[]).map(document => document.toJS() as Manifest)
}

/** Returns the variables that the kubelet would set in the pod `<name>-0` of the namespace `default`. */
function environmentOf(variables: readonly Variable[], secrets: Record<string, string>, pod: string) {
  const fields: Record<string, string> = { 'metadata.name': pod, 'metadata.namespace': 'default' }
  const env: Record<string, string> = {}
  for (const { name, value, valueFrom } of variables) {
    const { fieldRef, secretKeyRef } = valueFrom ?? {}
    const found = value ?? (fieldRef ? fields[fieldRef.fieldPath] : secrets[secretKeyRef?.key ?? ''])
    if (found === undefined) throw new Error(`${name} has no value`)
    env[name] = found.replaceAll(/\$\((\w+)\)/g, (_, other: string) => {
      if (env[other] === undefined) throw new Error(`${name} uses ${other} before it is set`)
      return env[other]
    })
  }
  return env
}

describe('plugboard.yaml', () => {
  let folder: string
  let manifests: Manifest[]
  let pod: PodTemplate
  let container: Container
  let config: PlugboardConfig
  const only = (kind: string, name = 'plugboard') => {
    const found = manifests.filter(each => each.kind === kind && each.metadata.name === name)
    expect(found, `${kind} ${name}`).toHaveLength(1)
    return found[0]!
  }
  const portNumbers = () => new Map(container.ports?.map(({ name, containerPort }) => [name, containerPort]))

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'vera-kubernetes-'))
    manifests = await read('plugboard.yaml')
    pod = only('StatefulSet').spec.template!
    container = pod.spec.containers[0]!
    const env = environmentOf(container.env!, only('Secret').stringData!, 'plugboard-0')
    const [[name = '', text = ''] = []] = Object.entries(only('ConfigMap').data!)
    expect(env.PLUGBOARD_CONFIG).toBe(`${mountOf(container, 'config')}/${name}`)
    const file = join(folder, name)
    await writeFile(file, text)
    const { POD_NAMESPACE: _, ...settings } = env
    config = loadPlugboardConfig({ env: { ...settings, PLUGBOARD_CONFIG: file }, cwd: folder }).values
  })
  afterAll(() => rm(folder, { recursive: true }))

  it('has settings that Plugboard accepts', () => {
    expect(config.name).toBe('plugboard-0')
    expect(config.clusterSecret).toBeDefined()
    expect(config.data).toBe(mountOf(container, 'data'))
    expect(only('StatefulSet').spec.volumeClaimTemplates?.map(({ metadata }) => metadata.name)).toEqual([
      'data',
    ])
  })

  it('names the ports that Plugboard listens on', () => {
    const { listen, adminListen, peerListen } = config
    expect([...portNumbers()]).toEqual([
      ['public', listen[0]!.port],
      ['admin', adminListen.port],
      ['peer', peerListen.port],
    ])
    // Probes do not come from the loopback of the pod.
    expect(adminListen.host).toBeUndefined()
    for (const { kind, spec } of manifests) {
      if (kind === 'Service') {
        for (const { targetPort } of spec.ports!) expect(portNumbers().has(targetPort), targetPort).toBe(true)
      }
    }
    const ruled = only('NetworkPolicy').spec.ingress!.flatMap(({ ports }) => ports.map(({ port }) => port))
    expect(ruled).toEqual(['public', 'peer'])
  })

  it('uses the headless service to find replicas, and for the URLs that Telephones receive', () => {
    const headless = only('StatefulSet').spec.serviceName!
    const service = only('Service', headless)
    expect(service.spec.clusterIP).toBe('None')
    const ports = new Map(service.spec.ports?.map(({ name, port }) => [name, port]))
    expect(config.peerDns).toBe(`${headless}:${ports.get('peer')}`)
    // A headless service does not map ports, so the dialled port is the port of the pod.
    for (const [name, port] of ports) expect(port).toBe(portNumbers().get(name))
    const { host } = new URL(config.telephoneUrl!)
    expect(host).toBe(`plugboard-0.${headless}.default.svc:${ports.get('public')}`)
    // Both ways to find a replica must give the same address. DNS gives the address of the pod, and so does the default.
    expect(config.peerUrl).toBeUndefined()
  })

  it('sends probes with a Host that the admin port accepts', () => {
    for (const [probe, path] of [
      [container.livenessProbe, '/livez'],
      [container.readinessProbe, '/readyz'],
    ] as const) {
      const { httpGet } = probe!
      expect([httpGet?.path, httpGet?.port]).toEqual([path, 'admin'])
      const host = httpGet!.httpHeaders.find(({ name }) => name === 'Host')!.value
      expect(allowedHosts(config.adminListen.host, config.adminHosts)).toContain(host)
    }
  })

  it('selects the pods that it creates', () => {
    const { labels } = pod.metadata
    const { selector } = only('StatefulSet').spec
    expect(selector).toEqual({ matchLabels: labels })
    expect(only('PodDisruptionBudget').spec.selector).toEqual({ matchLabels: labels })
    expect(only('NetworkPolicy').spec.podSelector).toEqual({ matchLabels: labels })
    for (const { kind, spec } of manifests) if (kind === 'Service') expect(spec.selector).toEqual(labels)
  })

  it('gives a replica enough time to drain', () => {
    const leavingMs = Math.max(config.stopDelayMs, Math.min(LEAVE_MS, config.drainTimeoutMs))
    const graceSeconds = (leavingMs + config.drainTimeoutMs) / 1000 + LAST_STEPS_SECONDS
    expect(pod.spec.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(graceSeconds)
  })

  it('runs the image without root, with its data in the folder that the image expects', async () => {
    const image = parseDockerfile(await readFile(join(FOLDER, '../plugboard.Dockerfile'), 'utf8')).at(-1)!
    expect(image.env.PLUGBOARD_DATA).toBe(config.data)
    expect(pod.spec.securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 1000 })
  })
})

describe('app.yaml', () => {
  let deployment: Manifest
  let app: Container
  let telephone: Container
  let config: TelephoneConfig

  beforeAll(async () => {
    deployment = (await read('app.yaml'))[0]!
    const containers = deployment.spec.template!.spec.containers
    app = containers.find(({ name }) => name === 'app')!
    telephone = containers.find(({ name }) => name === 'telephone')!
    config = loadTelephoneConfig({ env: environmentOf(telephone.env!, {}, 'app-0') }).values
  })

  it('has settings that Telephone accepts, and dials the service of plugboard.yaml', async () => {
    const service = (await read('plugboard.yaml')).find(
      ({ kind, metadata }) => kind === 'Service' && metadata.name === 'plugboard',
    )!
    const [address = ''] = config.plugboard
    expect(new URL(address).hostname).toBe(service.metadata.name)
    expect(Number(new URL(address).port || 80)).toBe(service.spec.ports?.[0]?.port)
    expect(config.tokenFile).toBe(`${mountOf(telephone, 'token')}/token`)
    expect(deployment.spec.template!.spec.volumes.map(({ name }) => name)).toEqual(['token'])
  })

  it('probes with a command of the image', async () => {
    const image = parseDockerfile(await readFile(join(FOLDER, '../telephone.Dockerfile'), 'utf8')).at(-1)!
    expect(telephone.livenessProbe?.exec?.command).toEqual(image.healthcheck)
  })

  it('keeps the pod ready during an outage of Plugboard', () => {
    expect(telephone.readinessProbe).toBeUndefined()
    expect(telephone.livenessProbe?.exec?.command).toContain('--container')
  })

  it('stops the app after its Telephone has drained', () => {
    const [, seconds] = app.lifecycle!.preStop.exec.command
    const drainSeconds = config.drainTimeoutMs / 1000
    expect(Number(seconds)).toBeGreaterThan(drainSeconds)
    const { terminationGracePeriodSeconds } = deployment.spec.template!.spec
    expect(terminationGracePeriodSeconds).toBeGreaterThan(Number(seconds) + LAST_STEPS_SECONDS)
  })
})

function mountOf(container: Container, volume: string): string {
  return container.volumeMounts?.find(({ name }) => name === volume)?.mountPath ?? `no mount of ${volume}`
}
