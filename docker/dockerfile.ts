// Reads the parts of a Dockerfile that ours use, for the test that performs the steps of Docker itself.

export interface DockerfileStage {
  readonly name: string | undefined
  /** Source paths in the build context, as in the file. */
  readonly contextCopies: { readonly source: string; readonly target: string }[]
  /** The stage that the files come from. */
  readonly stageCopies: { readonly source: string; readonly target: string }[]
  readonly runs: string[]
  readonly env: Record<string, string>
  workdir: string
  user: string
  entrypoint: string[]
  command: string[]
  healthcheck: string[]
}

/** Returns the stages in order. The last one is the image. Throws for an unknown instruction. */
export function parseDockerfile(text: string): DockerfileStage[] {
  const stages: DockerfileStage[] = []
  const lines = text
    .replace(/^#.*\n/gm, '')
    .replace(/\\\n/g, ' ')
    .split('\n')
    .filter(line => line.trim() !== '')
  for (const line of lines) {
    const [, instruction = '', rest = ''] = line.match(/^([A-Z]+)\s+(.*)$/) ?? []
    if (instruction === 'ARG') continue
    if (instruction === 'FROM') {
      stages.push(newStage(rest.match(/ AS (\S+)$/)?.[1]))
      continue
    }
    const stage = stages.at(-1)
    if (!stage) throw new Error(`before FROM: ${line}`)
    apply(stage, instruction, rest, line)
  }
  return stages
}

function newStage(name: string | undefined): DockerfileStage {
  return {
    name,
    contextCopies: [],
    stageCopies: [],
    runs: [],
    env: {},
    workdir: '/',
    user: 'root',
    entrypoint: [],
    command: [],
    healthcheck: [],
  }
}

function apply(stage: DockerfileStage, instruction: string, rest: string, line: string): void {
  switch (instruction) {
    case 'COPY': {
      const from = rest.match(/^--from=\S+\s+/)?.[0] ?? ''
      const words = rest.slice(from.length).trim().split(/\s+/)
      const target = words.pop() ?? ''
      const copies = from === '' ? stage.contextCopies : stage.stageCopies
      for (const source of words) copies.push({ source, target })
      return
    }
    case 'RUN':
      stage.runs.push(rest)
      return
    case 'ENV': {
      const [, name = '', value = ''] = rest.match(/^([A-Z_]+)=(.*)$/) ?? []
      stage.env[name] = value
      return
    }
    case 'WORKDIR':
      stage.workdir = rest
      return
    case 'USER':
      stage.user = rest
      return
    case 'ENTRYPOINT':
      stage.entrypoint = JSON.parse(rest) as string[]
      return
    case 'CMD':
      stage.command = JSON.parse(rest) as string[]
      return
    case 'HEALTHCHECK':
      stage.healthcheck = JSON.parse(rest.slice(rest.indexOf(' CMD ') + 5)) as string[]
      return
    case 'EXPOSE':
    case 'VOLUME':
      return
    default:
      throw new Error(`unknown instruction: ${line}`)
  }
}
