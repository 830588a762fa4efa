package rpc

import (
	"context"
	"encoding/base64"
	"fmt"
	"math"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "makegood.example/proto/gen/provisioning/v1"
	"makegood.example/services/platform/access"
	"makegood.example/services/platform/apperr"
	"makegood.example/services/platform/pg"
	"makegood.example/services/provisioning/internal/hook"
	"makegood.example/services/provisioning/internal/service"
	"makegood.example/services/provisioning/internal/store"
)

// Admin serves people with a role.
type Admin struct {
	pb.UnimplementedProvisioningAdminServiceServer
	Service *service.Service
}

const pageSizeDefault = 50

// ListHooks implements provisioning.v1.
func (s *Admin) ListHooks(ctx context.Context, r *pb.ListHooksRequest) (*pb.ListHooksResponse, error) {
	filter := store.HookFilter{AccountID: optional(r.GetAccountId()), Undelivered: r.GetUndelivered()}
	var err error
	if filter.BeforeAt, filter.BeforeID, err = parseHooksToken(r.GetPageToken()); err != nil {
		return nil, err
	}
	size := int(r.GetPageSize())
	if size == 0 {
		size = pageSizeDefault
	}
	// One more than asked for tells whether there is a next page.
	hooks, err := s.Service.ListHooks(ctx, filter, size+1)
	if err != nil {
		return nil, err
	}
	out := &pb.ListHooksResponse{NoApp: s.Service.App == nil}
	if len(hooks) > size {
		hooks = hooks[:size]
		out.NextPageToken = hooksToken(hooks[size-1].Hook)
	}
	for _, h := range hooks {
		shown := toHook(h.Hook)
		if !out.NoApp && h.State == hook.Queued {
			shown.NextAttemptAt = timestamp(h.NextLookAt)
		}
		out.Hooks = append(out.Hooks, shown)
	}
	count, oldest, err := s.Service.Undelivered(ctx)
	if err != nil {
		return nil, err
	}
	out.UndeliveredCount, out.OldestUndeliveredAt = count, timestamp(oldest)
	return out, nil
}

// ReplayHooks implements provisioning.v1.
func (s *Admin) ReplayHooks(ctx context.Context, r *pb.ReplayHooksRequest) (*pb.ReplayHooksResponse, error) {
	count, err := s.Service.ReplayHooks(ctx, store.Replay{
		AccountID: optional(r.GetAccountId()), Since: r.GetSince().AsTime(), Undelivered: r.GetUndelivered(), Actor: access.From(ctx).Actor, Reason: r.GetReason(),
	}, r.GetDryRun())
	if err != nil {
		return nil, err
	}
	return &pb.ReplayHooksResponse{HookCount: int64(count)}, nil
}

func toHook(h hook.Hook) *pb.Hook {
	return &pb.Hook{
		Id: h.ID.String(), AccountId: h.AccountID.String(), Active: h.Active, Until: timestamp(h.Until), ChangedAt: timestamppb.New(h.ChangedAt),
		State: pb.Hook_State(pb.Hook_State_value[string(h.State)]), AttemptCount: int32(h.Attempts), LastError: h.LastError,
		DeliveredAt: timestamp(h.DeliveredAt),
	}
}

// optional is an id that the contract has checked; nil when it was left out.
func optional(id string) *uuid.UUID {
	if id == "" {
		return nil
	}
	parsed := uuid.MustParse(id)
	return &parsed
}

// hooksToken is opaque to callers, so that what it holds may change.
func hooksToken(last hook.Hook) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "hooks %d %s", last.ChangedAt.UnixMicro(), last.ID))
}

func parseHooksToken(token string) (before time.Time, id uuid.UUID, err error) {
	if token == "" {
		return time.UnixMicro(math.MaxInt64 / 1000), uuid.Max, nil
	}
	var micros int64
	var text string
	plain, err := base64.RawURLEncoding.DecodeString(token)
	if err == nil {
		_, err = fmt.Sscanf(string(plain), "hooks %d %s", &micros, &text)
	}
	if err == nil {
		id, err = uuid.Parse(text)
	}
	before = time.UnixMicro(micros)
	if err != nil || !pg.TimeFits(before) {
		return time.Time{}, uuid.UUID{}, apperr.Invalid("page_token", "is not from a page of this list")
	}
	return before, id, nil
}
