package store

import "makegood.example/services/platform/personal"

// What went to their address, or is about their orders and went to customers. Mails to
// the team name orders and cases, and nobody's address.
const theirMessages = "SELECT m.id FROM notifications.messages AS m WHERE m.kind NOT IN ('ALERT', 'DIGEST') AND (m.order_id = ANY (@orders::text[]::uuid[]) " +
	"OR lower(m.recipient) = @email_key OR m.id IN (SELECT l.message_id FROM notifications.letters AS l WHERE lower(btrim(l.recipient)) = @email_key))"

// Person is what Notifications keeps about a person. That a mail of a kind was sent
// stays; to whom, and what a letter said, does not.
var Person = personal.Keeper{
	Open: []string{
		"SELECT 'the ' || lower(t.kind) || ' mail ' || t.dedupe_key || ' is not delivered yet' FROM notifications.messages AS t WHERE t.id IN (" + theirMessages + ") AND t.state IN ('QUEUED', 'SENDING')",
	},
	Tables: []personal.Table{
		{
			// Before the messages, by whose recipient they are found.
			Name: "notifications.letters", Of: "t.message_id IN (" + theirMessages + ")",
			Erase: "UPDATE notifications.letters SET recipient = @pseudonym, subject = 'erased', body = 'erased', in_reply_to = '' " +
				"WHERE message_id IN (" + theirMessages + ") AND body <> 'erased'",
		},
		{
			Name: "notifications.messages", Of: "t.id IN (" + theirMessages + ")",
			Erase: "UPDATE notifications.messages SET recipient = @pseudonym WHERE id IN (" + theirMessages + ") AND recipient NOT LIKE 'erased-%@erased.invalid'",
		},
	},
}
