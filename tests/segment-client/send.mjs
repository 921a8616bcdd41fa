// Sends what a founder's app would send, through Segment's own SDK: one identify and three tracks.
//   node send.mjs http://127.0.0.1:5080 WRITE_KEY [USER_ID] [STRIPE_CUSTOMER_ID]
// Prints one line of JSON: {"sent":[{"type","messageId","event"?}],"errors":[…]}; exits with 1 where anything was not delivered.
import { Analytics } from '@segment/analytics-node';

const [host, writeKey, userId = 'user-1', stripeCustomerId = 'cus_segment_1'] = process.argv.slice(2);
if (!host || !writeKey) {
  console.error('usage: node send.mjs HOST WRITE_KEY [USER_ID] [STRIPE_CUSTOMER_ID]');
  process.exit(2);
}

// flushAt 2: four calls make two batches, so that the path of a batch is walked more than once. One retry only: a test must end.
const analytics = new Analytics({ writeKey, host, flushAt: 2, flushInterval: 1000, maxRetries: 1, httpRequestTimeout: 5000 });
const sent = [];
const errors = [];
analytics.on('error', (error) => errors.push(String(error.reason ?? error.code ?? error)));

const delivered = (context) => {
  const { type, messageId, event } = context.event;
  sent.push(event ? { type, messageId, event } : { type, messageId });
};
const call = (send) => new Promise((resolve) => {
  send((error, context) => {
    if (error) errors.push(String(error.reason ?? error.message ?? error));
    else delivered(context);
    resolve();
  });
});

const calls = [
  call((done) => analytics.identify({ userId, traits: { email: 'ada@example.com', stripeCustomerId } }, done)),
  call((done) => analytics.track({ userId, event: 'Signed In' }, done)),
  call((done) => analytics.track({ userId, event: 'Feature Used', properties: { feature: 'reports' } }, done)),
  call((done) => analytics.track({ userId, event: 'Session Ended', properties: { minutes: 12 } }, done)),
];
await analytics.closeAndFlush({ timeout: 10000 });
await Promise.race([Promise.all(calls), new Promise((resolve) => setTimeout(resolve, 10000).unref())]);

if (sent.length < calls.length && errors.length === 0) errors.push(`${calls.length - sent.length} calls were not answered in time`);
console.log(JSON.stringify({ sent, errors: [...new Set(errors)] }));
process.exit(errors.length === 0 ? 0 : 1);
