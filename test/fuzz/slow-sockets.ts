/**
 * Opens many sockets that are silent or send half a frame, as a process of its own: `slow-sockets.ts <port> <count>`.
 * Says `opened` on its standard output when all have been tried, and stays until its standard input ends. They come from
 * several loopback addresses, since one address may not take all connections.
 */
import { connect } from 'node:net';

const ADDRESSES = ['127.0.0.2', '127.0.0.3', '127.0.0.4'];
/** Fewer than the backlog of a listener, which would drop the others. */
const AT_ONCE = 200;
/** Length 1,000, and the first two bytes of the header behind it. */
const HALF_A_FRAME = Buffer.from('000003e80012', 'hex');

const [port, count] = process.argv.slice(2).map(Number);

function open(n: number): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect({
      port: port!,
      host: '127.0.0.1',
      localAddress: ADDRESSES[n % ADDRESSES.length]!,
    });
    socket.on('error', () => resolve());
    socket.once('close', () => resolve());
    socket.once('connect', () => {
      if (n % 2 === 0) socket.write(HALF_A_FRAME);
      resolve();
    });
  });
}

for (let n = 0; n < count!; n += AT_ONCE) {
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, count! - n) }, (_, i) => open(n + i)));
}
console.log('opened');
process.stdin.resume();
process.stdin.once('end', () => process.exit(0));
