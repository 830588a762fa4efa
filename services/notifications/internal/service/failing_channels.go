package service

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"makegood.example/services/notifications/internal/incident"
	"makegood.example/services/notifications/internal/store"
)

// channelPatience is how long a channel may fail before the others say so, unless it
// is certain at once that it will not mend itself.
const channelPatience = 2 * time.Minute

// channelSource is the source of the incident that alerts cannot be told.
const channelSource = "channels"

// noteChannel draws from how a channel was told whether it can be used, and has the
// others say so when it cannot: once, as an incident like any other.
func (s *Service) noteChannel(ctx context.Context, channel string, tier incident.Tier, tellErr error) error {
	return s.Store.InTx(ctx, func(tx pgx.Tx) error {
		if tellErr == nil {
			failed, err := s.Store.NoteChannelWorks(ctx, tx, channel)
			if err != nil || !failed {
				return err
			}
			return s.reportChannels(ctx, tx)
		}
		if tier != incident.PageNow { // a digest that is not told, too
			tier = incident.SameDay
		}
		now := s.now()
		var permanent *TellError
		told, err := s.Store.NoteChannelFailure(ctx, tx, store.ChannelFailure{
			Channel: channel, Tier: tier, Why: tellErr.Error(), Told: errors.As(tellErr, &permanent) && permanent.Permanent,
		}, now, now.Add(-channelPatience))
		if err != nil || !told {
			return err
		}
		return s.reportChannels(ctx, tx)
	})
}

// reportChannels says how the channels stand.
func (s *Service) reportChannels(ctx context.Context, tx pgx.Tx) error {
	failing, err := s.Store.FailingChannels(ctx, tx)
	if err != nil {
		return err
	}
	all := s.channels()
	report := incident.Report{Key: "alert-channels", Tier: incident.SameDay}
	for _, f := range failing {
		if !f.Told || !slices.Contains(all, f.Channel) {
			continue
		}
		if f.Tier == incident.PageNow {
			report.Tier = incident.PageNow
		}
		report.Count++
		report.Words.Items = append(report.Words.Items, incident.Item{
			Text: fmt.Sprintf("%s, since %s: %s", s.channelName(f.Channel), incident.Spoken(f.Since), f.Why),
		})
	}
	var reports []incident.Report
	if report.Count > 0 {
		report.Words.Title = "Alerts do not arrive by one of their ways"
		report.Words.Meaning = "What is told there is not heard. It is told again until it is."
		if int(report.Count) == len(all) {
			report.Words.Meaning = "No way is left by which the team is told anything."
			s.Log.ErrorContext(ctx, "the team cannot be told anything by any channel", "channels", report.Count)
		}
		report.Words.NextStep = "Check SLACK_BOT_TOKEN, SLACK_CHANNEL (is the app in it?), SLACK_WEBHOOK_URL, ALERT_EMAILS and the mail server."
		reports = append(reports, report)
	}
	return s.takeIn(ctx, tx, channelSource, s.now(), reports)
}

// channelName says which channel it is to people; addresses by their place.
func (s *Service) channelName(channel string) string {
	for n, address := range s.Team {
		if mailChannel(address) == channel {
			return fmt.Sprintf("mail-%d", n+1)
		}
	}
	return channel
}

// ChannelName is how a channel is shown.
func (s *Service) ChannelName(channel string) string { return s.channelName(channel) }
