//! Groups of widely used artifacts that are published without a `pom.properties`.
//!
//! Gradle and Ant write none, so the Spring Framework's archives, Tomcat's and others state no group
//! anywhere, and no advisory would ever be found for them. A row gives the group where two things agree: the
//! artifact's name, and a directory that only this project's classes stand in. The groups are those under
//! which Maven Central has the artifacts.

/// One project.
struct Project {
    /// Its group.
    group: &'static str,
    /// The artifacts' names as they stand in file names; `*` at the end stands for anything.
    artifacts: &'static [&'static str],
    /// What its own classes begin with.
    directory: &'static str,
    /// What stands before the artifact's name in its coordinates but not in its file name.
    prefix: &'static str,
}

const fn project(
    group: &'static str,
    artifacts: &'static [&'static str],
    directory: &'static str,
) -> Project {
    Project { group, artifacts, directory, prefix: "" }
}

/// Sorted by group.
static PROJECTS: &[Project] = &[
    project("com.h2database", &["h2"], "org/h2/"),
    project("com.linecorp.armeria", &["armeria", "armeria-*"], "com/linecorp/armeria/"),
    project("com.mysql", &["mysql-connector-j"], "com/mysql/"),
    project("com.squareup.okhttp3", &["okhttp"], "okhttp3/"),
    project("com.squareup.okio", &["okio", "okio-jvm"], "okio/"),
    project("io.grpc", &["grpc-*"], "io/grpc/"),
    project("io.micrometer", &["micrometer-*"], "io/micrometer/"),
    project("io.projectreactor", &["reactor-core"], "reactor/core/"),
    project("io.projectreactor.netty", &["reactor-netty", "reactor-netty-*"], "reactor/netty/"),
    project("mysql", &["mysql-connector-java"], "com/mysql/"),
    project("org.apache.kafka", &["kafka-clients", "kafka-streams"], "org/apache/kafka/"),
    project("org.apache.kafka", &["kafka_2.*"], "kafka/"),
    project("org.apache.lucene", &["lucene-*"], "org/apache/lucene/"),
    project("org.apache.thrift", &["libthrift"], "org/apache/thrift/"),
    project(
        "org.apache.tomcat",
        &["tomcat-catalina", "tomcat-catalina-ha", "tomcat-tribes"],
        "org/apache/catalina/",
    ),
    Project {
        group: "org.apache.tomcat",
        artifacts: &["catalina", "catalina-ha"],
        directory: "org/apache/catalina/",
        prefix: "tomcat-",
    },
    project("org.apache.tomcat", &["tomcat-coyote"], "org/apache/coyote/"),
    project("org.apache.tomcat", &["tomcat-jdbc"], "org/apache/tomcat/jdbc/"),
    project("org.apache.tomcat", &["tomcat-util"], "org/apache/tomcat/util/"),
    project("org.apache.tomcat", &["tomcat-websocket"], "org/apache/tomcat/websocket/"),
    project("org.apache.tomcat.embed", &["tomcat-embed-core"], "org/apache/catalina/"),
    project("org.apache.tomcat.embed", &["tomcat-embed-websocket"], "org/apache/tomcat/websocket/"),
    project(
        "org.bouncycastle",
        &["bcmail-*", "bcpg-*", "bcpkix-*", "bcprov-*", "bctls-*", "bcutil-*"],
        "org/bouncycastle/",
    ),
    project(
        "org.elasticsearch",
        &["elasticsearch", "elasticsearch-core", "elasticsearch-x-content"],
        "org/elasticsearch/",
    ),
    project("org.elasticsearch.client", &["elasticsearch-rest-*"], "org/elasticsearch/client/"),
    project("org.jetbrains.kotlin", &["kotlin-stdlib", "kotlin-stdlib-*"], "kotlin/"),
    project("org.lz4", &["lz4-java"], "net/jpountz/"),
    project("org.postgresql", &["postgresql"], "org/postgresql/"),
    project(
        "org.springframework",
        &[
            "spring-aop",
            "spring-aspects",
            "spring-beans",
            "spring-context",
            "spring-context-support",
            "spring-core",
            "spring-expression",
            "spring-jdbc",
            "spring-jms",
            "spring-messaging",
            "spring-orm",
            "spring-oxm",
            "spring-tx",
            "spring-web",
            "spring-webflux",
            "spring-webmvc",
            "spring-websocket",
        ],
        "org/springframework/",
    ),
    project("org.springframework", &["spring-jcl"], "org/apache/commons/logging/"),
    project("org.springframework.amqp", &["spring-amqp", "spring-rabbit"], "org/springframework/amqp/"),
    project("org.springframework.boot", &["spring-boot", "spring-boot-*"], "org/springframework/boot/"),
    project("org.springframework.integration", &["spring-integration-*"], "org/springframework/integration/"),
    project("org.springframework.kafka", &["spring-kafka"], "org/springframework/kafka/"),
    project("org.springframework.security", &["spring-security-*"], "org/springframework/security/"),
];

/// `group:artifact` of a well-known artifact.
pub(super) fn name_of(artifact: &str, has_directory: &dyn Fn(&str) -> bool) -> Option<String> {
    PROJECTS
        .iter()
        .find(|project| {
            project.artifacts.iter().any(|pattern| fits(pattern, artifact))
                && has_directory(project.directory)
        })
        .map(|project| format!("{}:{}{artifact}", project.group, project.prefix))
}

fn fits(pattern: &str, artifact: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => artifact.starts_with(start),
        None => artifact == pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_sorted_and_their_directories_end() {
        assert!(PROJECTS.windows(2).all(|pair| pair[0].group <= pair[1].group));
        assert!(PROJECTS.iter().all(|project| project.directory.ends_with('/')));
    }

    #[test]
    fn a_group_needs_the_name_and_the_classes() {
        let has = |directory: &'static str| move |asked: &str| directory.starts_with(asked);
        for (artifact, directory, expected) in [
            ("spring-core", "org/springframework/core/", Some("org.springframework:spring-core")),
            ("spring-core", "org/other/", None),
            ("spring-kafka", "org/springframework/kafka/", Some("org.springframework.kafka:spring-kafka")),
            ("spring-other", "org/springframework/other/", None),
            ("catalina", "org/apache/catalina/", Some("org.apache.tomcat:tomcat-catalina")),
            ("kafka_2.13", "kafka/", Some("org.apache.kafka:kafka_2.13")),
        ] {
            assert_eq!(name_of(artifact, &has(directory)).as_deref(), expected, "{artifact}");
        }
    }
}
