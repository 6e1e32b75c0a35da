//! The words that the API has for how far a pod is and what a container is for.
//!
//! Serves `pod`, and `metadata` which shows them. Invariant: each takes one byte, however many pods are known.

use serde::{Deserialize, Serialize};

/// How far a pod is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// Taken, but not all of its containers have run.
    Pending,
    /// At least one container runs or is about to.
    Running,
    /// All ended well.
    Succeeded,
    /// All ended, not all of them well.
    Failed,
    /// Its node does not answer.
    Unknown,
}

impl Phase {
    const ALL: [Self; 5] = [Self::Pending, Self::Running, Self::Succeeded, Self::Failed, Self::Unknown];

    pub(super) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|phase| phase.as_str() == text)
    }

    /// As the API has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Running => "Running",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::Unknown => "Unknown",
        }
    }
}

/// What a container is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// The pod's work.
    #[default]
    Container,
    /// Before it, or beside it if it never ends.
    Init,
    /// To look into the pod.
    Ephemeral,
}

impl Kind {
    /// As records have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::Init => "init",
            Self::Ephemeral => "ephemeral",
        }
    }
}
