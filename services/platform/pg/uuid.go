package pg

import (
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"
)

// uuids reads a UUID into its sixteen bytes, NULL as the zero id. Otherwise pgx writes
// each as text to have it parsed again, which was a tenth of what reading a page cost.
type uuids struct{ pgtype.UUIDCodec }

// PlanScan is the plan for what we know better, else pgx's.
func (u uuids) PlanScan(m *pgtype.Map, oid uint32, format int16, target any) pgtype.ScanPlan {
	if _, ok := target.(*uuid.UUID); ok && format == pgtype.BinaryFormatCode {
		return readUUID{}
	}
	return u.UUIDCodec.PlanScan(m, oid, format, target)
}

type readUUID struct{}

func (readUUID) Scan(src []byte, target any) error {
	id := target.(*uuid.UUID)
	switch len(src) {
	case 0:
		*id = uuid.Nil
	case len(id):
		copy(id[:], src)
	default:
		return fmt.Errorf("a UUID of %d bytes", len(src))
	}
	return nil
}
