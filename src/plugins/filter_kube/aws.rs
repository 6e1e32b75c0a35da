//! The built-in filter's fields for AWS: which service, as the CloudWatch agent knows it, a pod belongs to.

use std::{path::PathBuf, sync::Arc};

use super::options::{ApiOptions, AwsOptions};
use crate::{
    kube::{
        api::{client_config::ClientConfig, connection::Connection, resource::Resource},
        metadata::aws::Services,
        watch::aws_services,
    },
    plugin::Refusal,
    runtime::Tasks,
};

impl AwsOptions {
    /// Whether services are named, which takes the workload of a pod.
    pub(super) fn is_on(&self) -> bool {
        self.use_pod_association || self.use_pod_association_too
    }

    /// What is known of services, asked for by a task of its own; none if nobody wants it.
    pub(super) fn services(&self, api: &ApiOptions, tasks: &Tasks) -> Result<Option<Arc<Services>>, Refusal> {
        if !self.is_on() {
            return Ok(None);
        }
        let path = |text: &Option<String>| text.as_ref().map(PathBuf::from);
        let services = Services::new(self.map_ttl, path(&api.token_file).as_ref());
        let file = self.preload.as_ref().map(|path| PathBuf::from(format!("{path}.map")));
        if let Some(file) = file.filter(|file| file.exists()) {
            return Ok(Some(Arc::new(services.read(&file))));
        }
        let services = Arc::new(services);
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        let connection = Connection::new(&ClientConfig {
            url: format!("https://{host}:{}", self.port),
            ca_file: path(&self.ca_file),
            ca_path: None,
            crt_file: path(&self.cert_file),
            key_file: path(&self.key_file),
            token_file: None,
            tls_verify: self.tls_verify,
            tls_verify_hostname: false, // nor does the built-in
            ..ClientConfig::default()
        });
        let connection = connection.map_err(|why| {
            Refusal::new(format!("option 'aws_pod_association_host': '{}' names no agent: {why}", self.host))
        })?;
        let (known, endpoint, interval) =
            (Arc::clone(&services), self.endpoint.clone(), self.refresh_interval);
        tasks.spawn(async move {
            aws_services::follow(&known, &Resource::new(connection.client(), endpoint), interval).await;
        });
        Ok(Some(services))
    }
}
