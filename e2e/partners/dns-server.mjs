// A DNS server (dns2) on loopback, over UDP, that knows the TXT records which a test publishes.
import dns2 from 'dns2';

const { Packet } = dns2;
const NO_SUCH_NAME = 3;

export async function startDnsServer() {
  const records = new Map();
  const asked = [];
  const server = dns2.createServer({
    udp: true,
    handle(request, send) {
      const response = Packet.createResponseFromRequest(request);
      const [{ name }] = request.questions;
      const key = name.toLowerCase().replace(/\.$/, '');
      asked.push(key);
      const texts = records.get(key) ?? [];
      for (const data of texts) response.answers.push({ name, type: Packet.TYPE.TXT, class: Packet.CLASS.IN, ttl: 0, data });
      if (texts.length === 0) response.header.rcode = NO_SUCH_NAME;
      send(response);
    },
  });
  const { udp } = await server.listen({ udp: { port: 0, address: '127.0.0.1' } });
  return {
    address: `127.0.0.1:${udp.port}`,
    /** Names that were asked for, oldest first. */
    asked,
    publish: (name, ...texts) => records.set(name.toLowerCase(), texts),
    withdraw: (name) => records.delete(name.toLowerCase()),
    stop: () => server.close(),
  };
}
