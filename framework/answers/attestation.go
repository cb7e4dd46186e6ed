package answers

import (
	"net/url"
	"time"
)

// AttestationAge is how long an attestation counts that names no last day of its own.
const AttestationAge = 180 * 24 * time.Hour

// Attestation is what a person vouches for, and where that can be read.
type Attestation struct {
	// Who vouches for it.
	By string `yaml:"by" example:"Jane Doe, AIV IT"`
	// Day on which they did.
	On Date `yaml:"on" example:"2026-11-16"`
	// Link or document that proves it.
	Evidence string `yaml:"evidence" form:"evidence" example:"https://confluence.aiv.internal/display/JHUB/Evidence"`
	// Last day on which it counts; 180 days after the day it was made if left out.
	ValidUntil Date `yaml:"validUntil" example:"2027-05-15"`
}

// Attester is an answer that somebody vouches for: an Attestation, alone or with more fields.
type Attester interface {
	Vouched() Attestation
}

// Vouched returns the attestation itself; it makes every answer that embeds one an Attester.
func (a Attestation) Vouched() Attestation { return a }

// Missing returns the keys without which the attestation counts for nothing.
func (a Attestation) Missing() []string {
	var missing []string
	if a.By == "" {
		missing = append(missing, "by")
	}
	if a.On.IsZero() {
		missing = append(missing, "on")
	}
	if a.Evidence == "" {
		missing = append(missing, "evidence")
	}
	return missing
}

// Expires returns the moment from which the attestation counts no more.
func (a Attestation) Expires() time.Time {
	if a.ValidUntil.IsZero() {
		return a.On.Add(AttestationAge)
	}
	return a.ValidUntil.End()
}

// Link returns the evidence as an address that can be asked; false if it is a document's name.
func (a Attestation) Link() (*url.URL, bool) {
	link, err := url.Parse(a.Evidence)
	return link, err == nil && (link.Scheme == "http" || link.Scheme == "https") && link.Host != ""
}

// Contact is whom to call.
type Contact struct {
	// Name of the person or team.
	Name string `yaml:"name" example:"AIV Platform Team"`
	// Mail address.
	Mail string `yaml:"mail" form:"mail" example:"platform@aiv.internal"`
	// Phone number.
	Phone string `yaml:"phone" form:"phone" example:"+49 30 1234567"`
	// Web address, such as a ticket queue.
	URL string `yaml:"url" form:"url" example:"https://tickets.aiv.internal/platform"`
}

// Reachable reports whether the contact says how to reach it.
func (c Contact) Reachable() bool { return c.Mail != "" || c.Phone != "" || c.URL != "" }

// String renders the contact in one line, "" if nothing is answered.
func (c Contact) String() string {
	text := c.Name
	for _, way := range []string{c.Mail, c.Phone, c.URL} {
		switch {
		case way == "":
		case text == "":
			text = way
		default:
			text += ", " + way
		}
	}
	return text
}

// Waiver says that an item need not be met for a while.
type Waiver struct {
	// ID of the item, such as 6.2.3.
	ID string `yaml:"id" example:"6.3.1" jsonschema:"required"`
	// Why it need not be met.
	Reason string `yaml:"reason" example:"snapshots come with the storage upgrade in January" jsonschema:"required"`
	// Who decided so.
	ApprovedBy string `yaml:"approvedBy" example:"Jane Doe, AIV IT Manager" jsonschema:"required"`
	// Last day on which the waiver counts.
	Expires Date `yaml:"expires" example:"2027-01-31" jsonschema:"required"`
}

// Active reports whether the waiver still counts.
func (w Waiver) Active(now time.Time) bool { return now.Before(w.Expires.End()) }

func (w Waiver) validate() []problem {
	return required(requirement{"id", w.ID != "", "which item is waived"},
		requirement{"reason", w.Reason != "", "why it need not be met"},
		requirement{"approvedBy", w.ApprovedBy != "", "who decided so"},
		requirement{"expires", !w.Expires.IsZero(), "until when it counts"})
}
