//! Who a certificate is for.

use std::collections::BTreeMap;

/// The number of an extension below `1.3.6.1.4.1.57264.1`
/// (`https://github.com/sigstore/fulcio/blob/main/docs/oid-info.md`), 9 to 23.
pub type ClaimNumber = u8;

/// An identity that an authority of Fulcio's kind vouches for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The subject's alternative name.
    pub subject: Subject,
    /// Who authenticated it.
    pub issuer: String,
    /// The other extensions, by number.
    pub claims: BTreeMap<ClaimNumber, String>,
}

/// The two kinds of name that a subject has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A mail address.
    Mail(String),
    /// The URI of a workflow.
    Uri(String),
}

/// What is built where: from this an identity and a provenance follow that agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workflow {
    /// `OWNER/NAME` on `https://github.com`.
    pub repository: String,
    /// The repository's number.
    pub repository_id: String,
    /// The ref that is built: `refs/tags/v1.0.0`.
    pub reference: String,
    /// The commit that is built, 40 hexadecimal digits.
    pub commit: String,
    /// The workflow's file in the repository.
    pub path: String,
    /// What started it: `push`.
    pub trigger: String,
    /// `github-hosted` or `self-hosted`.
    pub runner: String,
    /// The run's number.
    pub run: String,
}

impl Workflow {
    /// A release of a repository, built by its own workflow on a machine of GitHub's.
    pub fn release(repository: &str, reference: &str) -> Workflow {
        Workflow {
            repository: repository.to_owned(),
            repository_id: "4711".to_owned(),
            reference: reference.to_owned(),
            commit: "4be1d02c".repeat(5),
            path: ".github/workflows/release.yml".to_owned(),
            trigger: "push".to_owned(),
            runner: "github-hosted".to_owned(),
            run: "815".to_owned(),
        }
    }

    /// The repository's URL.
    pub fn repository_url(&self) -> String {
        format!("https://github.com/{}", self.repository)
    }

    /// The run's URL.
    pub fn run_url(&self) -> String {
        format!("{}/actions/runs/{}/attempts/1", self.repository_url(), self.run)
    }

    /// The workflow's URI, which is the name that its certificate has.
    pub fn uri(&self) -> String {
        format!("{}/{}@{}", self.repository_url(), self.path, self.reference)
    }

    /// Who GitHub says it is.
    pub fn identity(&self) -> Identity {
        let owner = self.repository.split('/').next().unwrap_or_default();
        let claims = [
            (9, self.uri()),
            (10, self.commit.clone()),
            (11, self.runner.clone()),
            (12, self.repository_url()),
            (13, self.commit.clone()),
            (14, self.reference.clone()),
            (15, self.repository_id.clone()),
            (16, format!("https://github.com/{owner}")),
            (17, "42".to_owned()),
            (18, self.uri()),
            (19, self.commit.clone()),
            (20, self.trigger.clone()),
            (21, self.run_url()),
            (22, "public".to_owned()),
        ];
        Identity {
            subject: Subject::Uri(self.uri()),
            issuer: "https://token.actions.githubusercontent.com".to_owned(),
            claims: claims.into_iter().collect(),
        }
    }
}

impl Identity {
    /// A person, who has no claims.
    pub fn person(mail: &str, issuer: &str) -> Identity {
        Identity {
            subject: Subject::Mail(mail.to_owned()),
            issuer: issuer.to_owned(),
            claims: BTreeMap::new(),
        }
    }

    /// A service account of Google's, as it promotes images.
    pub fn service_account(mail: &str) -> Identity {
        Identity::person(mail, "https://accounts.google.com")
    }

    /// The identity with one claim more, or another one.
    #[must_use]
    pub fn with_claim(mut self, number: ClaimNumber, value: &str) -> Identity {
        self.claims.insert(number, value.to_owned());
        self
    }
}
