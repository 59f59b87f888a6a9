/** Where Kafka is and how to get in: one schema in the settings of every part that needs a broker. */
import { z } from 'zod';

export const SASL_MECHANISMS = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const;

const path = z.string().min(1);

/** Files as PEM, read again for new connections: a renewed certificate needs no restart. */
const kafkaTls = z
  .strictObject({
    /** Signers of the brokers' certificates; default: those that the system trusts. */
    ca: path.optional(),
    /** The client's own certificate and key, where brokers ask for one. */
    cert: path.optional(),
    key: path.optional(),
    /** Whose name the certificates have to bear; default: the address that is connected to. */
    serverName: z.string().min(1).optional(),
    /** Without it anybody in between can read and change everything: for tests. */
    rejectUnauthorized: z.boolean().default(true),
  })
  .refine(({ cert, key }) => (cert === undefined) === (key === undefined), {
    message: 'got one of `cert` and `key`, want both or none',
  });

const kafkaSasl = z
  .strictObject({
    mechanism: z.enum(SASL_MECHANISMS),
    username: z.string().min(1),
    password: z.string().min(1).optional(),
    /** A file with the password and nothing else, read at every login; an end of line is left out. */
    passwordFile: path.optional(),
  })
  .refine(({ password, passwordFile }) => (password === undefined) !== (passwordFile === undefined), {
    message: 'want either `password` or `passwordFile`',
  });

export const kafkaConfig = z.strictObject({
  /** `host:port` of brokers. */
  brokers: z.array(z.string().min(1)).min(1).default(['localhost:9092']),
  /** Encrypts; `{}` trusts what the system trusts. */
  tls: kafkaTls.optional(),
  sasl: kafkaSasl.optional(),
});

export type KafkaConfig = z.infer<typeof kafkaConfig>;
export type KafkaTls = z.infer<typeof kafkaTls>;
export type KafkaSasl = z.infer<typeof kafkaSasl>;
