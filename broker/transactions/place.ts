/** A partition that a transaction writes to. */
export interface Place {
  readonly topic: string;
  readonly partition: number;
}

/** Places by `keyOf`. */
export type Places = ReadonlyMap<string, Place>;

export const NO_PLACES: Places = new Map();

export function keyOf({ topic, partition }: Place): string {
  return `${partition}/${topic}`;
}

export function placesOf(list: readonly Place[]): Places {
  return new Map(list.map((place) => [keyOf(place), { topic: place.topic, partition: place.partition }]));
}

/** By topic, as records and answers have them. */
export function byTopic(places: Places): Map<string, number[]> {
  const topics = new Map<string, number[]>();
  for (const { topic, partition } of places.values()) {
    const partitions = topics.get(topic);
    if (partitions) partitions.push(partition);
    else topics.set(topic, [partition]);
  }
  return topics;
}
