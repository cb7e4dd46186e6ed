package answers

// IAM is section 9.1.
type IAM struct {
	// Who vouches that the details of the IAM solution were provided.
	Details Attestation `yaml:"details"`
	// API endpoint.
	Endpoint string `yaml:"endpoint" form:"url" example:"https://iam.aiv.internal/api/v1"`
	// Authentication method.
	Method IAMMethod `yaml:"method" example:"oauth2"`
	// User name or client ID, for basic and oauth2.
	ClientID string `yaml:"clientId" example:"jupyterhub"`
	// Password, client secret or bearer token.
	ClientSecret Secret `yaml:"clientSecret"`
	// Token endpoint, for oauth2.
	TokenURL string `yaml:"tokenUrl" form:"url" example:"https://iam.aiv.internal/oauth2/token"`
	// Scope to ask for, for oauth2.
	Scope string `yaml:"scope" example:"provisioning.read"`
	// File with the client certificate, for mtls.
	Certificate string `yaml:"certificate" form:"path" example:"iam-client.pem"`
	// Private key of the client certificate, for mtls.
	CertificateKey Secret `yaml:"certificateKey"`
	// Address of an OpenAPI document.
	OpenAPI string `yaml:"openApi" form:"url" example:"https://iam.aiv.internal/openapi.json"`
	// What the integration is required for.
	Needs IAMNeeds `yaml:"needs"`
	// Who vouches that the API's documentation was provided.
	Documentation Attestation `yaml:"documentation"`
	// File with the CA that signs its certificate, where it is not the corporate one.
	CAFile string `yaml:"caFile" form:"path" example:"aiv-ca.pem"`
	// Whom to call about IAM.
	Contact Contact `yaml:"contact"`
}

// IAMMethod is a way to authenticate at the IAM's API.
type IAMMethod string

// The methods that can be checked.
const (
	Bearer IAMMethod = "bearer"
	OAuth2 IAMMethod = "oauth2"
	MTLS   IAMMethod = "mtls"
	Basic  IAMMethod = "basic"
)

// Enum lists the choices.
func (IAMMethod) Enum() []string { return []string{"bearer", "oauth2", "mtls", "basic"} }

// IAMNeeds is what IAM is integrated for.
type IAMNeeds struct {
	// User workspace provisioning.
	Workspaces IAMNeed `yaml:"workspaces"`
	// Resource quota management.
	Quotas IAMNeed `yaml:"quotas"`
	// Access control.
	Access IAMNeed `yaml:"access"`
	// Anything else.
	Other IAMNeed `yaml:"other"`
}

// IAMNeed is one purpose of the integration. It is proved by a request that only reads, or
// vouched for where there is no such request.
type IAMNeed struct {
	// Is it required?
	Required *bool `yaml:"required" example:"true"`
	// Path below the endpoint that is read (GET).
	Path string `yaml:"path" example:"/workspaces"`
	// Expected HTTP status; 200 if left out.
	ExpectStatus *int `yaml:"expectStatus" example:"200"`
	// CEL expression that must hold for the JSON answer, which it calls body.
	Expect string `yaml:"expect" example:"size(body.items) > 0"`
	// Who vouches for it, where it cannot be asked.
	Vouched Attestation `yaml:"vouched"`
}

// Artifacts is section 10.1.
type Artifacts struct {
	// Type of the repository.
	Type ArtifactType `yaml:"type" example:"artifactory"`
	// Address of the repository.
	URL string `yaml:"url" form:"url" example:"https://artifactory.aiv.internal/artifactory"`
	// Repository or bucket that may be written to.
	Repository string `yaml:"repository" example:"ml-models-local"`
	// How to sign in; the access key and secret key of S3 are user name and password.
	Login Login `yaml:"login"`
	// File with the CA that signs its certificate, where it is not the corporate one.
	CAFile string `yaml:"caFile" form:"path" example:"aiv-ca.pem"`
	// Whom to call about the artifact repository.
	Contact Contact `yaml:"contact"`
}

func (a Artifacts) validate() []problem {
	return encrypted("url", a.URL, a.Login.Password, a.Login.Token)
}

// ArtifactType is a type of artifact repository.
type ArtifactType string

// The choices of item 10.1.1.
const (
	Artifactory    ArtifactType = "artifactory"
	Nexus          ArtifactType = "nexus"
	S3Artifacts    ArtifactType = "s3"
	OtherArtifacts ArtifactType = "other"
)

// Enum lists the choices.
func (ArtifactType) Enum() []string { return []string{"artifactory", "nexus", "s3", "other"} }

// IDE is section 10.2.
type IDE struct {
	// Is a code server required?
	CodeServer Decision `yaml:"codeServer"`
	// Is a VSCode server integrated?
	VSCode Decision `yaml:"vscode"`
	// Who vouches that the preferences are documented.
	Preferences Attestation `yaml:"preferences"`
	// Whom to call about development environments.
	Contact Contact `yaml:"contact"`
}

// Decision is a yes or no that somebody vouches for.
type Decision struct {
	Attestation `yaml:",inline"`
	// Yes or no.
	Required *bool `yaml:"required" example:"false"`
	// Where it runs, if it does.
	URL string `yaml:"url" form:"url" example:"https://code.aiv.internal"`
}

// Confluence is section 10.3.
type Confluence struct {
	// Address of Confluence.
	URL string `yaml:"url" form:"url" example:"https://confluence.aiv.internal"`
	// Key of the space for JupyterHub's documentation.
	Space string `yaml:"space" example:"JHUB"`
	// How to sign in.
	Login Login `yaml:"login"`
	// File with the CA that signs its certificate, where it is not the corporate one.
	CAFile string `yaml:"caFile" form:"path" example:"aiv-ca.pem"`
	// Whom to call about Confluence.
	Contact Contact `yaml:"contact"`
}

func (c Confluence) validate() []problem {
	return encrypted("url", c.URL, c.Login.Password, c.Login.Token)
}
