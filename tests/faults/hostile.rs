//! Pods and tags made to harm.
