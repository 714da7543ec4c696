// Generates names for `telephone http 3000` without a mount: a readable label, which Plugboard completes to a host, and the name of
// a service. The service has a random part, because two processes with the same label must not serve each other's requests.

import { randomInt } from 'node:crypto'

/** A token may be limited to generated services: `plugboard token issue --service 'tunnel-*'`. */
const SERVICE_PREFIX = 'tunnel-'
const SUFFIX_CHARACTERS = 'abcdefghijkmnpqrstuvwxyz23456789'
const SUFFIX_LENGTH = 8

const ADJECTIVES =
  'able agile airy amber ample arctic azure bold brave breezy bright brisk bronze calm candid casual cheery chilly clear clever cobalt cosmic crisp curious dapper daring deft dusky eager early fancy fleet fresh frosty gentle giddy glad golden grand hardy hazel hearty honest humble icy indigo ivory jolly keen kind lively loyal lucid lucky lunar mellow merry mighty mild misty modest neat nimble noble olive opal patient placid plucky polite proud quick quiet rapid ready ruby rustic sandy serene sharp shiny silent silver simple sleek smart snowy solar solid spry steady stellar sturdy sunny swift tender tidy upbeat velvet vivid warm wise witty young zesty'.split(
    ' ',
  )
const ANIMALS =
  'ant antler badger bat bear beaver bee beetle bison boar bobcat buffalo bunny camel canary caribou cat cheetah chipmunk cobra condor cougar coyote crab crane cricket crow deer dingo dolphin donkey dove dragonfly duck eagle eel elk falcon ferret finch firefly flamingo fox frog gazelle gecko gibbon giraffe goose gopher hamster hare hawk hedgehog heron hippo hornet horse ibex iguana jackal jaguar kangaroo kestrel kiwi koala lark lemur leopard lion lizard llama lobster lynx macaw magpie manatee marmot meerkat mole moose moth mouse newt ocelot octopus orca osprey otter owl panda panther parrot pelican penguin pheasant pigeon puffin puma quail rabbit raccoon raven robin salmon seal shark sloth sparrow squid stork swan tapir tiger toad toucan trout turtle walrus weasel whale wolf wombat zebra'.split(
    ' ',
  )

/** Returns a label such as `brisk-otter`. From the third attempt on, the label also has a number. */
export function generatedLabel(attempt = 0): string {
  const label = `${pick(ADJECTIVES)}-${pick(ANIMALS)}`
  return attempt < 2 ? label : `${label}-${randomInt(10, 10_000)}`
}

/** Returns a name such as `tunnel-brisk-otter-x7k2q9fa`. */
export function generatedService(label: string): string {
  const suffix = Array.from({ length: SUFFIX_LENGTH }, () => pick([...SUFFIX_CHARACTERS])).join('')
  return `${SERVICE_PREFIX}${label}-${suffix}`
}

function pick(list: readonly string[]): string {
  return list[randomInt(list.length)] as string
}
