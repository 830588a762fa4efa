// The endpoint that the peer's own documentation describes, on the benchmark's
// database: deliveries go through processWebhook, which verifies and stores.
// It reads nothing from Stripe. (CommonJS: as a module the peer does not find
// its migrations.)
const http = require('node:http')
const { StripeSync, runMigrations } = require('@supabase/stripe-sync-engine')

async function main() {
  const databaseUrl = process.env.BENCH_DATABASE_URL
  await runMigrations({ databaseUrl, schema: 'stripe', logger: { info() {}, error: console.error } })
  const sync = new StripeSync({
    poolConfig: { connectionString: databaseUrl, max: 16 },
    schema: 'stripe',
    stripeSecretKey: 'sk_test_only_for_the_benchmark',
    stripeWebhookSecret: process.env.BENCH_WEBHOOK_SECRET,
    autoExpandLists: false,
    backfillRelatedEntities: false,
  })
  const server = http.createServer((request, response) => {
    const parts = []
    request.on('data', (part) => parts.push(part))
    request.on('end', async () => {
      try {
        await sync.processWebhook(Buffer.concat(parts), request.headers['stripe-signature'])
        response.writeHead(200).end()
      } catch (error) {
        console.error(String(error).slice(0, 500))
        response.writeHead(500).end()
      }
    })
  })
  server.listen(0, '127.0.0.1', () => {
    const { address, port } = server.address()
    console.log(`${address}:${port}`)
  })
  process.stdin.resume()
  process.stdin.on('end', () => process.exit(0))
}
main()
